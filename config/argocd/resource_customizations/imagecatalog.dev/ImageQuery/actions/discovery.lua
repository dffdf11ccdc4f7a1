local suspended = obj.spec.suspend == true
local blocked = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "RemovalBlocked" and condition.status == "True" then
    blocked = true
  end
end
return {
  refresh = {disabled = suspended, displayName = "Ask the cloud now"},
  suspend = {disabled = suspended, displayName = "Suspend"},
  resume = {disabled = not suspended, displayName = "Resume"},
  approve = {disabled = suspended or not blocked, displayName = "Approve the blocked removal"},
}
