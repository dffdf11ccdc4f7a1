{{/* Names are the same in every release: the kinds are cluster-scoped, and one operator in a cluster serves them. */}}
{{- define "name" -}}image-catalog-operator{{- end }}

{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
{{- end }}

{{- define "image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "args" -}}
- --leader-elect
{{- if ne .Values.defaultCredentials "secret" }}
- --default-credentials={{ .Values.defaultCredentials }}
{{- end }}
{{- with .Values.cloud }}
{{- with .cvmEndpoint }}
- --cvm-endpoint={{ . }}
{{- end }}
{{- with .stsEndpoint }}
- --sts-endpoint={{ . }}
{{- end }}
{{- with .metadataEndpoint }}
- --metadata-endpoint={{ . }}
{{- end }}
{{- if ne (float64 .qps) 10.0 }}
- --cvm-qps={{ .qps }}
{{- end }}
{{- if ne (int .burst) 10 }}
- --cvm-burst={{ .burst }}
{{- end }}
{{- end }}
{{- if ne (int .Values.concurrent) 4 }}
- --concurrent={{ .Values.concurrent }}
{{- end }}
{{- if ne .Values.logLevel "info" }}
- --zap-log-level={{ .Values.logLevel }}
{{- end }}
{{- with .Values.args }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The objects of a file below files, which are those of config, with the release's namespace in the place of theirs:
{{ include "shipped" (dict "root" $ "path" "files/rbac/role.yaml") }}
*/}}
{{- define "shipped" -}}
{{- $text := .root.Files.Get .path | replace "image-catalog-system" .root.Release.Namespace }}
{{- range $document := splitList "\n---\n" $text }}
---
{{ $document | trimPrefix "---\n" | trim }}
{{- end }}
{{- end }}
