-- ImageQuery is shaped for kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): Ready
-- and Selected are always there; Reconciling, Stalled and RemovalBlocked only while True; status.observedGeneration is the generation they speak of.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not seen this generation of the spec yet"}
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready, stalled, blocked, selected = conditions.Ready, conditions.Stalled, conditions.RemovalBlocked, conditions.Selected

if ready == nil then
  return {status = "Progressing", message = "Ready is not there yet"}
end
if obj.spec.suspend then
  return {status = "Suspended", message = ready.message}
end
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.reason .. ": " .. stalled.message}
end
if ready.status == "True" then
  if blocked ~= nil and blocked.status == "True" then
    return {status = "Healthy", message = "Removals wait for approval: " .. blocked.message}
  end
  -- Members, and none of them was ever good enough to boot: the author waits for something.
  if selected ~= nil and selected.status == "False" and (status.imageCount or 0) > 0 and status.selectedHistory == nil then
    return {status = "Degraded", message = selected.reason .. ": " .. selected.message}
  end
  return {status = "Healthy", message = ready.message}
end
-- A poll that fails at the very beginning is tried again within seconds; it must not fail a sync. What is known and too
-- old is another thing.
if ready.status == "False" and status.lastSyncTime ~= nil then
  return {status = "Degraded", message = ready.reason .. ": " .. ready.message}
end
return {status = "Progressing", message = ready.reason .. ": " .. ready.message}
