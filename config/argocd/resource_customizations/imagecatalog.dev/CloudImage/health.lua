-- CloudImage is a record without spec and status: what it says is healthy even if the image is not. The message tells
-- what a person would look for.
local lifecycle = obj.lifecycle or {}
local image = obj.image or {}
if lifecycle.presence == "Present" then
  return {status = "Healthy", message = (image.name or "") .. " is " .. (image.state or "there")}
end
local message = (image.name or "") .. " is " .. (lifecycle.presence or "unknown")
if lifecycle.deleteAfter ~= nil then
  message = message .. ", kept until " .. lifecycle.deleteAfter
end
return {status = "Healthy", message = message}
