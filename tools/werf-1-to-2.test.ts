import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { codeIn, tablesIn } from './test/markdown.js'
import { files, read } from './test/repository.js'

const page = read('docs/reference/werf-1-to-2.md')
const tables = tablesIn(page)
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** The terms that the guide uses, by the table that must list them. The chapters of that guide are not in this repository. */
const guide: Record<string, string[]> = {
  Commands: [
    ...[
      'multiwerf use 1.1 stable',
      'type multiwerf',
      'git clone',
      'docker login',
      'kubectl create secret docker-registry',
    ],
    ...words('--as-file --docker-server --docker-username --docker-password --docker-email --dry-run=true'),
    ...['npm install', '--save', 'nginx -s quit', 'pg_isready', 'consul kv get'],
    ...commandsIn([
      'werf build --stages-storage :local --introspect-error --introspect-before-error',
      'werf run --stages-storage :local --docker-options="-d -p 8080:8080" -- node /app/src/js/index.js',
      'werf run --stages-storage :local node -- npm run pretest',
      'werf ci-env gitlab --verbose',
      'werf ci-env gitlab --tagging-strategy tag-or-branch --verbose',
      'werf build-and-publish',
      'werf deploy --stages-storage :local --set "global.ci_url=…"',
      'werf helm render',
      'werf helm list',
      'werf helm secret generate-secret-key',
      'werf helm secret values edit ./helm/secret-values.yaml',
      'werf helm repo init',
      'werf helm dependency update',
      'werf dismiss --env $CI_ENVIRONMENT_SLUG --namespace $CI_ENVIRONMENT_SLUG --with-namespace',
      'werf cleanup --stages-storage :local',
    ]),
  ],
  'Variables of werf': [
    ...words(
      'WERF_STAGES_STORAGE WERF_IMAGES_REPO WERF_IMAGES_REPO_IMPLEMENTATION WERF_TAG_BY_STAGES_SIGNATURE WERF_ENV WERF_SECRET_KEY DOCKER_CONFIG',
    ),
    ...words(
      'WERF_ADD_ANNOTATION_PROJECT_GIT WERF_ADD_ANNOTATION_CI_COMMIT WERF_ADD_ANNOTATION_GITLAB_CI_PIPELINE_URL WERF_ADD_ANNOTATION_GITLAB_CI_JOB_URL',
    ),
    ...words(
      'WERF_GIT_TAG_STRATEGY_LIMIT WERF_GIT_TAG_STRATEGY_EXPIRY_DAYS WERF_GIT_COMMIT_STRATEGY_LIMIT WERF_GIT_COMMIT_STRATEGY_EXPIRY_DAYS',
    ),
    ...words('WERF_STAGES_SIGNATURE_STRATEGY_LIMIT WERF_STAGES_SIGNATURE_STRATEGY_EXPIRY_DAYS'),
    ...words('WERF_LOG_COLOR_MODE WERF_LOG_PROJECT_DIR WERF_ENABLE_PROCESS_EXTERMINATOR WERF_LOG_TERMINAL_WIDTH'),
    ...words('CI_COMMIT_REF_SLUG CI_ENVIRONMENT_SLUG CI_ENVIRONMENT_URL GIT_STRATEGY'),
  ],
  'Template functions and values': [
    'global.werf.is_branch',
    'redis.enabled',
    ...namesIn([
      '{{ .Chart.Name }}',
      '{{ $.Chart.Name }}',
      '{{ tuple "node" . | include "werf_container_image" | indent 8 }}',
      '{{ tuple "node" . | include "werf_container_env" | indent 8 }}',
      '{{ .Values.global.ci_url }}',
      '{{ pluck .Values.global.env .Values.domain | first }}',
      '{{ pluck .Values.global.env .Values.loginUrl | first }}',
      '{{ pluck .Values.global.env .Values.app.debug | first }}',
      '{{ printf "%s%s" (pluck .Values.global.env .Values.app.cdn_prefix | first | default .Values.app.cdn_prefix._default) "" | quote }}',
      '{{ pluck .Values.global.env .Values.app.s3.host | first | default .Values.app.s3.host._default }}',
      '{{ .Values.app.s3.port }} {{ .Values.app.s3.ssl }} {{ .Values.app.s3.bucket }} {{ .Values.app.s3.access_key }} {{ .Values.app.s3.secret_key }}',
      '{{ .Values.app.mailgun_apikey }} {{ .Values.app.mailgun_domain }}',
      '{{ .Values.app.redis.password }} {{ .Values.app.redis.host.master }} {{ .Values.app.redis.host.slave }}',
      '{{ .Values.app.postgresql.host }} {{ .Values.app.postgresql.port }} {{ .Values.app.postgresql.user }} {{ .Values.app.postgresql.password }}',
      '{{ .Values.app.postgresql.db }} {{ .Values.app.rabbitmq.vhost }} {{ .Values.app.rabbitmq.user }} {{ .Values.app.rabbitmq.password }}',
      '{{ printf "amqp://%s:%s" .Values.app.rabbitmq.host (.Values.app.rabbitmq.port|toString) }}',
    ]),
  ],
  'Keys of werf.yaml': [
    ...words(
      'project configVersion image from git add to stageDependencies beforeInstall install beforeSetup setup ansible apt',
    ),
    ...words('update_cache shell args chdir docker EXPOSE import after'),
  ],
  'Keys of .gitlab-ci.yml': [
    ...words('before_script stages stage script tags variables extends dependencies needs GIT_STRATEGY'),
    ...words('environment.name environment.url environment.on_stop environment.action'),
    ...[
      'when: manual',
      'only: merge_requests',
      'only: master',
      'only: feature/*',
      'only: schedules',
      '.base_deploy: &base_deploy',
    ],
  ],
  'Keys of the manifests': [
    ...[
      'apiVersion: apps/v1',
      'apiVersion: batch/v1',
      'apiVersion: networking.k8s.io/v1beta1',
      'type: kubernetes.io/dockerconfigjson',
    ],
    ...['type: RollingUpdate', 'clusterIP: None', 'protocol: TCP', 'scheme: HTTP'],
    ...words(
      'replicas revisionHistoryLimit selector.matchLabels app imagePullSecrets containerPort command workingDir env initContainers backoffLimit',
    ),
    ...words(
      'restartPolicy livenessProbe readinessProbe lifecycle.preStop volumeMounts subPath serviceName servicePort kubernetes.io/ingress.class',
    ),
    ...words(
      'kind metadata labels annotations template containers ports rules http paths path data volumes configMap mountPath httpGet exec backend',
    ),
    ...words(
      'imagePullPolicy creationTimestamp helm.sh/hook helm.sh/hook-weight dependencies name version repository condition',
    ),
  ],
  Files: [
    ...words(
      'werf.yaml .gitlab-ci.yml .gitlab-ci.yaml package.json .helm/values.yaml .helm/secret-values.yaml .helm/requirements.yaml',
    ),
    ...words(
      'deployment.yaml 01-app.yaml service.yaml ingress.yaml 10-app-config.yaml Secret.yaml migrations.yaml fixtures.yaml bot-deployment.yaml',
    ),
    ...words(
      'python-deployment.yaml node/ python/ src/js/index.js src/js/server.js consumer.py webpack.config.js .eslintrc.json',
    ),
    ...words(
      'migrations/1588019669425_001-users.js fixtures/01-default-user.js /app/dist/config.json /etc/docker/daemon.json',
    ),
  ],
  'Images, stages and scripts': [
    ...words(
      'node node:14-stretch node_assets nginx:stable-alpine python postgres:12 redis minio pg connect-redis express-session node-pg-migrate mailgun-js',
    ),
    ...words('express-socket.io-session webpack-dev-server del-cli build test deploy stage'),
    ...['Build', 'Run_Tests', 'Deploy to Stage', 'Deploy to Production', 'Deploy to Review', 'Stop Review', 'Cleanup'],
    ...words('build watch start clear migrate fixtures test pretest').map((script) => `npm run ${script}`),
    ...words(
      'NODE_ENV DEBUG DATABASE_URL SESSION_REDIS SESSION_TTL COOKIE_SECRET AMQP_URI S3_ENDPOINT S3_PORT S3_SSL S3_ACCESS_KEY S3_SECRET_KEY S3_BUCKET',
    ),
    ...words('CDN_PREFIX MAILGUN_APIKEY MAILGUN_DOMAIN MAILGUN_FROM'),
  ],
}

describe('the page from werf 1.1 to werf 2', () => {
  it('has a table for each kind', () => {
    expect(tables.map(({ heading }) => heading)).toEqual(Object.keys(guide))
    for (const { header } of tables) expect(header).toEqual(['in the guide', 'now', 'why'])
  })

  it.each(Object.entries(guide))('lists every term of the guide below "%s"', (heading, terms) => {
    const rows = tables.find((table) => table.heading === heading)?.rows ?? []
    const told = rows.flatMap(([first = '']) => codeIn(first))
    expect(terms.length).toBeGreaterThan(10)
    expect(terms.filter((term) => !told.some((code) => mentions(code, term)))).toEqual([])
  })

  it('says for each term what replaces it', () => {
    for (const { rows } of tables)
      for (const row of rows)
        expect(row, row[0]).toEqual([expect.any(String), expect.stringMatching(/./), expect.any(String)])
  })

  it('names only npm scripts that exist', () => {
    const now = tables.flatMap(({ rows }) =>
      rows.flatMap(([, second = '', third = '']) => codeIn(`${second} ${third}`)),
    )
    const called = now.flatMap((code) => [...code.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name))
    const kept = tables.flatMap(({ rows }) =>
      rows.filter(([, second = '']) => second.startsWith('the same')).flatMap(([first = '']) => codeIn(first)),
    )
    called.push(...kept.flatMap((code) => /^npm run ([\w:-]+)$/.exec(code)?.[1] ?? []))
    expect(called.length).toBeGreaterThan(5)
    expect(called.filter((name) => !(name in scripts))).toEqual([])
  })

  it('calls nothing obsolete that this repository still uses', () => {
    const used = files.filter((file) => /^(\.gitlab-ci\.yml|\.github\/|werf.*\.yaml$|\.helm\/)/.test(file))
    const text = used.map(read).join('\n')
    const gone = words(
      'multiwerf --stages-storage build-and-publish WERF_IMAGES_REPO werf_container_ is_branch pluck ansible EXPOSE googleapis',
    )
    expect(gone.filter((word) => !page.includes(word) || text.includes(word))).toEqual([])
    expect(used).toContain('.helm/Chart.lock')
    expect(used).not.toContain('.helm/requirements.yaml')
  })

  it('shows an image that uses only keys of werf.yaml', () => {
    const [image = ''] = [...page.matchAll(/^```yaml\n(---\nimage: [^]*?)^```$/gm)].map(([, text = '']) => text)
    const own = parseAllDocuments(read('werf.yaml')).flatMap((document) => Object.keys(document.toJS() as object))
    const keys = parseAllDocuments(image).flatMap((document) => Object.keys(document.toJS() as object))
    expect(keys).toContain('image')
    expect(keys.filter((key) => !own.includes(key))).toEqual([])
  })

  it('shows a template that calls only templates of the chart', () => {
    const [template = ''] = [...page.matchAll(/^```yaml\n(apiVersion: [^]*?)^```$/gm)].map(([, text = '']) => text)
    const chart = files
      .filter((file) => file.startsWith('.helm/templates/'))
      .map(read)
      .join('\n')
    const called = [...template.matchAll(/include "([^"]+)"/g)].map(([, name]) => name)
    expect(called.length).toBeGreaterThan(5)
    expect(called.filter((name) => !chart.includes(`{{- define "${name}" `))).toEqual([])
  })
})

/** Splits `werf …` into the command and its flags, each in the form that the page must contain. */
function commandsIn(lines: string[]): string[] {
  return lines.flatMap((line) => [
    /^werf( [a-z][a-z-]*)+(?= |$)/.exec(line)?.[0] ?? line,
    ...(line.split(' -- ')[0]?.match(/--[a-z][a-z-]+/g) ?? []),
  ])
}

/** Functions, and values without `.Values` and `_default`. */
function namesIn(expressions: string[]): string[] {
  return expressions.flatMap((expression) => {
    const included = [...expression.matchAll(/include "(\w+)"/g)].map(([, name = '']) => name)
    const code = expression.replaceAll(/"[^"]*"/g, '')
    const values = [...code.matchAll(/\.(?:Values\.|(?=Chart\.))([\w.]+)/g)].map(([, path = '']) =>
      path.replace(/\._default$/, ''),
    )
    return [...included, ...values, ...(code.match(/(?<![\w.$])[a-z]\w*/gi) ?? [])]
  })
}

function words(list: string): string[] {
  return list.split(' ')
}

/** True if the page contains the term, but not as a part of a longer word. */
function mentions(code: string, term: string): boolean {
  const escaped = term.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`).test(code)
}
