-- The condition RemovalBlocked shows the command that approves, with a token of hexadecimal digits in it. Scripts have no
-- library of strings here, but strings have an order: the token's next digit is the last one with which what is known of
-- the command is not beyond it.
local command = ""
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "RemovalBlocked" and condition.status == "True" then
    command = condition.message
  end
end

local before = "kubectl annotate imagequery " .. obj.metadata.name .. " imagecatalog.dev/approve-removal="
local digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"}
local token = ""
for _ = 1, 64 do
  local found = ""
  for _, digit in ipairs(digits) do
    if before .. token .. digit <= command then
      found = digit
    end
  end
  if found == "" then
    break -- a space comes before all digits
  end
  token = token .. found
end
if token == "" or before .. token .. " --overwrite" ~= command then
  error("The condition RemovalBlocked shows no command that approves a removal")
end

local annotations = obj.metadata.annotations or {}
annotations["imagecatalog.dev/approve-removal"] = token
obj.metadata.annotations = annotations
return obj
