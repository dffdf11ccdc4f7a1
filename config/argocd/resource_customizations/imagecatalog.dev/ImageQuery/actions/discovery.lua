local suspended = obj.spec.suspend == true
return {
  refresh = {disabled = suspended, displayName = "Ask the cloud now"},
  suspend = {disabled = suspended, displayName = "Suspend"},
  resume = {disabled = not suspended, displayName = "Resume"},
}
