{{- define "whet.name" -}}
{{- if contains "whet" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-whet" .Release.Name }}{{ end }}
{{- end }}

{{- define "whet.selector" -}}
app.kubernetes.io/name: whet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "whet.labels" -}}
{{ include "whet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
