local annotations = obj.metadata.annotations or {}
annotations["imagecatalog.dev/requestedAt"] = "By Argo CD at: " .. os.date("!%Y-%m-%dT%X")
obj.metadata.annotations = annotations
return obj
