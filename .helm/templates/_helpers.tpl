{{/* The entry of .Values.environments that global.env selects: `review` for `review-feature-x`. Without global.env: `_default`. */}}
{{- define "app.environment" -}}
{{- $given := .Values.global.env | default "_default" -}}
{{- $found := ternary "_default" "" (eq $given "_default") -}}
{{- range .Values.environments -}}
{{- if and (or (eq $given .) (hasPrefix (printf "%s-" .) $given)) (gt (len .) (len $found)) }}{{ $found = . }}{{ end -}}
{{- end -}}
{{- if not $found -}}
{{- fail (printf "The environment %q is not known. Set --env (werf) or global.env to one of %s, or to one of them followed by a dash and a name."
  $given (join ", " .Values.environments)) -}}
{{- end -}}
{{- $found -}}
{{- end }}

{{/* The value for this environment: include "app.pick" (list $ "server.replicas") prints it as text. */}}
{{- define "app.pick" -}}
{{- $root := index . 0 }}{{ $path := index . 1 -}}
{{- $map := $root.Values -}}
{{- range splitList "." $path }}{{ $map = index $map . }}{{ end -}}
{{- $known := append $root.Values.environments "_default" -}}
{{- range $name, $_ := $map }}{{ if not (has $name $known) -}}
{{- fail (printf "%s has a value for %q, which is not an environment. Use one of %s, or add it to `environments`." $path $name (join ", " $known)) -}}
{{- end }}{{ end -}}
{{- $env := include "app.environment" $root -}}
{{- $value := index $map (ternary $env "_default" (hasKey $map $env)) -}}
{{- if kindIs "float64" $value }}{{ int64 $value }}{{ else if not (kindIs "invalid" $value) }}{{ $value }}{{ end -}}
{{- end }}

{{/* Labels of a resource and of its pods: include "app.labels" (list $ "server" "app"), with the name and the component. */}}
{{- define "app.labels" -}}
{{- $root := index . 0 -}}
{{ include "app.selector" (list $root (index . 1)) }}
app.kubernetes.io/component: {{ index . 2 }}
app.kubernetes.io/part-of: {{ $root.Chart.Name }}
app.kubernetes.io/version: {{ $root.Chart.Version | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{/* The two labels that select the pods of one workload. */}}
{{- define "app.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end }}

{{/* Reference of an image that werf built: include "app.image" (list $ "server"). */}}
{{- define "app.image" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{- $image := index (($root.Values.global.werf).images | default dict) $name | default dict -}}
{{- required (printf "There is no image %q. werf sets it; without werf add --set global.werf.images.%s.ref_tag=REPO:TAG." $name $name) $image.ref_tag -}}
{{- end }}

{{/* Refuses a built-in adapter together with the service that it replaces, and several replicas where the adapter allows one. */}}
{{- define "app.check-built-in" -}}
{{- $root := . -}}
{{- range tuple (list "sessions" "redis" "session_redis") (list "bus" "rabbitmq" "amqp_uri") (list "storage" "s3" "s3.endpoint") -}}
{{- $part := index . 0 }}{{ $service := index . 1 }}{{ $address := index . 2 | printf "app.%s" -}}
{{- if index $root.Values.builtIn $part -}}
{{- if (index $root.Values $service).enabled }}{{ fail (printf "builtIn.%s replaces %s. Set %s.enabled=false." $part $service $service) }}{{ end -}}
{{- if include "app.pick" (list $root $address) }}{{ fail (printf "builtIn.%s replaces %s. Remove one of the two." $part $address) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $hasReplicas := or .Values.server.autoscaling.enabled (gt (include "app.pick" (list . "server.replicas") | int) 1) -}}
{{- if and $hasReplicas (or .Values.builtIn.sessions .Values.builtIn.storage) -}}
{{- fail "builtIn.sessions and builtIn.storage allow one replica of the server. Set server.replicas to 1, without autoscaling." -}}
{{- end -}}
{{- end }}

{{/* Settings of every pod, with the name of its ServiceAccount: include "app.pod" "server". */}}
{{- define "app.pod" -}}
serviceAccountName: {{ . }}
automountServiceAccountToken: false
# Kubernetes would set S3_PORT=tcp://… for the Service `s3`. To the apps this variable means a port.
enableServiceLinks: false
# The group of the apps, which owns the files on the volumes.
securityContext: {runAsNonRoot: true, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
{{- end }}

{{/* Settings of a pod that runs one task and ends. */}}
{{- define "app.task-pod" -}}
{{ include "app.pod" "tasks" }}
restartPolicy: Never
{{- end }}

{{/* Spreads the pods of a Deployment over the nodes: include "app.spread" (list $ "server"). */}}
{{- define "app.spread" -}}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{ include "app.selector" . | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}

{{/* Rights of a container of the apps, with its numeric user: include "app.container-security" 1000. */}}
{{- define "app.container-security" -}}
securityContext:
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end }}

{{/* What the containers of all tasks share: image, rights, resources, a volume for temporary files. */}}
{{- define "app.task" -}}
image: {{ include "app.image" (list . "server") }}
{{ include "app.container-security" 1000 }}
resources: {{ toJson .Values.tasks.resources }}
volumeMounts:
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* A container that ends when a port accepts connections: include "app.wait-for-port" (list $ host port). */}}
{{- define "app.wait-for-port" -}}
- name: wait
  command: [bash, -c]
  args:
  - |
    # bash prints why it cannot connect. When packets are dropped, timeout ends the attempt.
    until timeout 5 bash -c ': >/dev/tcp/{{ index . 1 }}/{{ index . 2 }}'; do
      echo 'Waiting for {{ index . 1 }}, port {{ index . 2 }}'
      sleep 2
    done
  {{- include "app.task" (index . 0) | nindent 2 }}
{{- end }}

{{/* A container that ends when PostgreSQL accepts the role in these variables: include "app.wait-for-database" (list $ "app.env.task").
     werf fails a deploy at the first error of a Job, so Jobs wait. */}}
{{- define "app.wait-for-database" -}}
{{- $root := index . 0 -}}
- name: wait
  command: [node, apps/server/dist/cli.js, wait]
  env:
  {{- include (index . 1) $root | nindent 2 }}
  {{- include "app.task" $root | nindent 2 }}
{{- end }}

{{/* Host in the URL of the chat. */}}
{{- define "app.host" -}}
{{- .Values.global.ci_url | default (include "app.pick" (list . "ingress.host")) -}}
{{- end }}

{{/* URL of the chat. */}}
{{- define "app.public-url" -}}
{{- $scheme := ternary "https" "http" (eq (include "app.pick" (list . "ingress.tls.enabled")) "true") -}}
{{- include "app.pick" (list . "publicUrl") | default (printf "%s://%s" $scheme (include "app.host" .)) -}}
{{- end }}

{{/* Name of the Secret with all secret variables. */}}
{{- define "app.secret-name" -}}
{{- .Values.global.existingSecret | default "app-secrets" -}}
{{- end }}

{{/* All secrets that are set in values. Generated secrets are not part of it. */}}
{{- define "app.given-secrets" -}}
{{- range tuple "cookie_secret" "database_url" "migrations_database_url" "postgres_password" "postgres_app_password" "session_redis" "redis_password" "amqp_uri" "rabbitmq_password"
  "s3.access_key" "s3.secret_key" "mailgun_apikey" -}}
{{- with include "app.pick" (list $ (printf "app.%s" .)) }}{{ printf "%q" . }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Annotation that restarts pods when a secret in values or in the existing Secret changes. */}}
{{- define "app.secrets-checksum" -}}
{{- $data := "" -}}
{{- with .Values.global.existingSecret }}{{ $data = toJson (lookup "v1" "Secret" $.Release.Namespace .).data }}{{ end -}}
checksum/secrets: {{ print (include "app.given-secrets" .) $data | sha256sum }}
{{- end }}

{{/* One variable from the key of the same name in the Secret: include "app.env.secret" (list $ "DATABASE_URL"). */}}
{{- define "app.env.secret" -}}
- name: {{ index . 1 }}
  valueFrom: {secretKeyRef: {name: {{ include "app.secret-name" (index . 0) }}, key: {{ index . 1 }}}}
{{- end }}

{{/* One variable from a value; none when the value is empty: include "app.env.optional" (list $ "DEBUG" "app.debug"). */}}
{{- define "app.env.optional" -}}
{{- with include "app.pick" (list (index . 0) (index . 2)) }}
- name: {{ index $ 1 }}
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Variables of every process: the URL of the chat, the database, the cookie secret. */}}
{{- define "app.env.base" -}}
- name: PUBLIC_URL
  value: {{ include "app.public-url" . | quote }}
{{ include "app.env.secret" (list . "DATABASE_URL") }}
{{ include "app.env.secret" (list . "COOKIE_SECRET") }}
- name: APP_VERSION
  value: {{ .Chart.Version | quote }}
{{- include "app.env.optional" (list . "DEBUG" "app.debug") }}
{{- end }}

{{/* Variables of a task that uses only the database. With built-in adapters for the rest it needs no other secrets. */}}
{{- define "app.env.task" -}}
{{ include "app.env.base" . }}
- {name: SESSIONS, value: postgres}
- {name: BUS, value: in-process}
- {name: STORAGE, value: disk}
- {name: MAILER, value: mailbox}
{{- end }}

{{/* Variables of the migrations, the only task that may change the schema. */}}
{{- define "app.env.owner" -}}
{{ include "app.env.task" . }}
# A Secret of your own may lack this key. Then the role of the apps owns the schema.
- name: MIGRATIONS_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "app.secret-name" . }}, key: MIGRATIONS_DATABASE_URL, optional: true}}
{{- end }}

{{/* Variables that server and worker share: Redis, RabbitMQ, and where browsers find pictures. */}}
{{- define "app.env.shared" -}}
{{ if .Values.builtIn.sessions }}- {name: SESSIONS, value: postgres}{{ else }}{{ include "app.env.secret" (list . "SESSION_REDIS") }}{{ end }}
{{ if .Values.builtIn.bus }}- {name: BUS, value: in-process}{{ else }}{{ include "app.env.secret" (list . "AMQP_URI") }}{{ end }}
{{- include "app.env.optional" (list . "CDN_PREFIX" "app.cdn_prefix") }}
{{- end }}

{{/* Host of S3: the service of the release, or the one that app.s3.endpoint names. */}}
{{- define "app.s3-endpoint" -}}
{{- $endpoint := include "app.pick" (list . "app.s3.endpoint") -}}
{{- if and .Values.s3.enabled $endpoint }}{{ fail "app.s3.endpoint names an S3 service, and s3.enabled makes one. Set s3.enabled=false to use yours." }}{{ end -}}
{{- if .Values.s3.enabled }}s3{{ else -}}
{{- required "s3.enabled is false and no other S3 service is named. Set app.s3.endpoint, app.s3.access_key and app.s3.secret_key." $endpoint -}}
{{- end -}}
{{- end }}

{{/* Port of S3. */}}
{{- define "app.s3-port" -}}
{{- ternary "7070" (include "app.pick" (list . "app.s3.port")) .Values.s3.enabled -}}
{{- end }}

{{/* Variables of the bucket, or of the volume of the server. */}}
{{- define "app.env.storage" -}}
{{- if hasKey .Values.app.s3 "host" }}{{ fail "The name of app.s3.host is app.s3.endpoint. Rename it in your values." }}{{ end -}}
{{- if .Values.builtIn.storage -}}
- {name: STORAGE, value: disk}
- {name: DATA_DIR, value: /data}
{{- else -}}
- name: S3_ENDPOINT
  value: {{ include "app.s3-endpoint" . }}
- name: S3_PORT
  value: {{ include "app.s3-port" . | quote }}
- name: S3_SSL
  value: {{ ternary "false" (include "app.pick" (list . "app.s3.ssl")) .Values.s3.enabled | quote }}
- name: S3_BUCKET
  value: {{ include "app.pick" (list . "app.s3.bucket") | quote }}
- name: S3_REGION
  value: {{ include "app.pick" (list . "app.s3.region") | quote }}
{{ include "app.env.secret" (list . "S3_ACCESS_KEY") }}
{{ include "app.env.secret" (list . "S3_SECRET_KEY") }}
{{- end }}
{{- end }}

{{/* Variables of Mailgun, or of the mailbox in the database. */}}
{{- define "app.env.mail" -}}
{{- $domain := include "app.pick" (list . "app.mailgun_domain") -}}
{{- $from := include "app.pick" (list . "app.mailgun_from") -}}
{{- $url := include "app.pick" (list . "app.mailgun_url") -}}
{{- if $domain -}}
- name: MAILGUN_DOMAIN
  value: {{ $domain | quote }}
- name: MAILGUN_FROM
  value: {{ required "app.mailgun_domain is set and there is no sender. Set app.mailgun_from." $from | quote }}
- name: MAILGUN_URL
  value: {{ $url | quote }}
{{ include "app.env.secret" (list . "MAILGUN_APIKEY") }}
{{- else -}}
- {name: MAILER, value: mailbox}
{{- end }}
{{- end }}

{{/* Annotations for werf on a workload that needs the bucket and the schema: deploy it after these Jobs. */}}
{{- define "app.after-tasks" -}}
{{- if not .Values.builtIn.storage }}
werf.io/deploy-dependency-bucket: state=ready,kind=Job,name={{ include "bucket.name" . }}
{{- end }}
werf.io/deploy-dependency-migrations: state=ready,kind=Job,name={{ include "migrations.name" . }}
{{- end }}
