{{/*
The name doesn't depend on the release's unless nameOverride is given: usually one operator serves the cluster, and the kinds are
cluster-scoped. It is short enough for what is put behind it.
*/}}
{{- define "name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if .Values.nameOverride -}}
{{ contains .Values.nameOverride .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Values.nameOverride) | trunc 55 | trimSuffix "-" }}
{{- else -}}
image-catalog-operator
{{- end }}
{{- end }}

{{- define "serviceAccountName" -}}{{ .Values.serviceAccount.name | default (include "name" .) }}{{- end }}

{{/* What the pods are found by. A Deployment's can't be changed, so it has nothing that an upgrade changes. */}}
{{- define "selectorLabels" -}}
app.kubernetes.io/name: {{ include "name" . }}
{{- end }}

{{/* The labels of an object, with more of its own: {{ include "labels" (list $ .Values.podLabels) }} */}}
{{- define "labels" -}}
{{- $root := index . 0 }}
{{- $standard := dict
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63)
}}
{{- mergeOverwrite (dict) (index . 1 | default dict) ($root.Values.commonLabels | default dict) $standard (include "selectorLabels" $root | fromYaml) | toYaml }}
{{- end }}

{{/* The page's objects have a name of their own, so no selector of the operator's finds its pods. */}}
{{- define "pageName" -}}{{ include "name" . }}-page{{- end }}

{{- define "pageLabels" -}}
{{- mergeOverwrite (include "labels" (list . dict) | fromYaml) (dict "app.kubernetes.io/name" (include "pageName" .)) | toYaml }}
{{- end }}

{{/* What the Pod Security Standard restricted asks of a container. */}}
{{- define "restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
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
{{- with .Values.defaultAccountID }}
{{- if eq $.Values.defaultCredentials "secret" }}
{{- fail "defaultAccountID is for the defaultCredentials env, cvm-role and tke-oidc: a Secret says it by its key accountID" }}
{{- end }}
- --default-account-id={{ . }}
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
{{- if .Values.metricsCertificate.secretName }}
- --metrics-cert-path=/etc/metrics-certificate
{{- end }}
{{- with .Values.publish.namespaces }}
- --publish-namespaces={{ join "," . }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The objects of a file below files, which are those of config, with the release's labels, and its names in the place of theirs:
{{ include "shipped" (dict "root" $ "path" "files/rbac/role.yaml") }}
*/}}
{{- define "shipped" -}}
{{- $root := .root }}
{{- range $document := splitList "\n---\n" ($root.Files.Get .path) }}
{{- $object := fromYaml $document }}
{{- include "rename" (dict "root" $root "object" $object) }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}

{{/* Changes an object of config in place: {{ include "rename" (dict "root" $ "object" $object) }} */}}
{{- define "rename" -}}
{{- $name := include "name" .root }}
{{- $namespace := .root.Release.Namespace }}
{{- $account := include "serviceAccountName" .root }}
{{- $metadata := .object.metadata }}
{{- if eq $metadata.name "image-catalog-operator" }}
{{- $_ := set $metadata "name" (eq .object.kind "ServiceAccount" | ternary $account $name) }}
{{- end }}
{{- if eq ($metadata.namespace | default "") "image-catalog-system" }}
{{- $_ := set $metadata "namespace" $namespace }}
{{- end }}
{{- $_ := set $metadata "labels" (include "labels" (list .root ($metadata.labels | default dict)) | fromYaml) }}
{{- with .object.roleRef }}
{{- $_ := set . "name" $name }}
{{- end }}
{{- range .object.subjects }}
{{- $_ := set . "name" $account }}
{{- $_ := set . "namespace" $namespace }}
{{- end }}
{{- if hasPrefix "ValidatingAdmissionPolicy" .object.kind }}
{{- include "renamePolicy" . }}
{{- end }}
{{- end }}

{{/* A policy has the operator's name in front of its own when that isn't the usual one, and knows every operator's account. */}}
{{- define "renamePolicy" -}}
{{- $name := include "name" .root }}
{{- if ne $name "image-catalog-operator" }}
{{- $policy := printf "%s.%s" $name .object.metadata.name }}
{{- $_ := set .object.metadata "name" $policy }}
{{- if .object.spec.policyName }}
{{- $_ := set .object.spec "policyName" $policy }}
{{- end }}
{{- end }}
{{- $own := printf "system:serviceaccount:%s:%s" .root.Release.Namespace (include "serviceAccountName" .root) }}
{{- $operators := prepend .root.Values.admissionPolicy.writers $own | uniq }}
{{- range .object.spec.variables }}
{{- if eq .name "operators" }}
{{- $_ := set . "expression" (toJson $operators) }}
{{- end }}
{{- end }}
{{- range .object.spec.matchConditions }}
{{- if eq .name "operators" }}
{{- $_ := set . "expression" (printf "request.userInfo.username in %s" (toJson $operators)) }}
{{- end }}
{{- end }}
{{- end }}
