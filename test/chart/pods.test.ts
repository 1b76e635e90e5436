import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { containersOf } from './kubernetes/pods.js'
import { run } from './kubernetes/run.js'
import { readConfig } from '../../apps/server/src/config.js'
import { builtIn, cases, given, outside } from './cases.js'
import { parseResources, render, renderAnew, secretsOf, workloadsOf, type Resource, type Workload } from './chart.js'
import { read } from './werf-config.js'

/** The keys of app-secrets that each container may read. */
const base = ['COOKIE_SECRET', 'DATABASE_URL']
const keysOf: Record<string, string[]> = {
  'server/server': [...base, 'AMQP_URI', 'SESSION_REDIS', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'MAILGUN_APIKEY'],
  'server/web': [],
  'worker/worker': [...base, 'AMQP_URI', 'SESSION_REDIS', 'MAILGUN_APIKEY'],
  'migrations/wait': [...base, 'MIGRATIONS_DATABASE_URL'],
  'migrations/migrations': [...base, 'MIGRATIONS_DATABASE_URL'],
  'bucket/wait': [],
  'bucket/bucket': [...base, 'S3_ACCESS_KEY', 'S3_SECRET_KEY'],
  'fixtures/wait': base,
  'fixtures/fixtures': base,
  'acceptance/wait': [],
  'acceptance/acceptance': base,
  'upkeep/upkeep': base,
  'doctor/doctor': [...base, 'AMQP_URI', 'SESSION_REDIS', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'MAILGUN_APIKEY'],
  'postgres/postgres': ['POSTGRES_PASSWORD'],
  'redis/redis': ['REDIS_PASSWORD'],
  'rabbitmq/rabbitmq': ['RABBITMQ_PASSWORD'],
  's3/s3': ['S3_ACCESS_KEY', 'S3_SECRET_KEY'],
}

interface KeyRef {
  name: string
  key: string
}

describe.concurrent.each(Object.entries(cases))('every pod of the chart with %s', (_, values) => {
  const resources = render(values).then(parseResources)
  const workloads = resources.then(workloadsOf)
  const containers = workloads.then((all) =>
    all.flatMap(({ name, pod }) =>
      containersOf(pod.spec).map((container) => ({ where: `${name}/${container.name}`, ...container })),
    ),
  )

  it('names a numeric user, so that the node can see that it is not root', async () => {
    expect((await workloads).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['server', 'migrations', 'doctor']),
    )
    const bad = (await workloads).flatMap(({ name, pod: { spec } }) =>
      containersOf(spec).flatMap(({ name: container, securityContext }) =>
        Number(securityContext?.runAsUser ?? spec.securityContext?.runAsUser) > 0 ? [] : `${name}/${container}`,
      ),
    )
    expect(bad).toEqual([])
  })

  it('names the version of each image', async () => {
    const untagged = (await containers).filter(
      ({ image }) =>
        !/^[^@]+:[\w][\w.-]*(@sha256:[0-9a-f]{64})?$/.test(image.replace(/^[^/]+:\d+\//, '')) ||
        /:latest\b/.test(image),
    )
    expect(untagged.map(({ where, image }) => `${where}: ${image}`)).toEqual([])
  })

  it('requests CPU and memory, and has a limit of memory', async () => {
    const bad = (await containers).filter(
      ({ resources: { requests = {}, limits = {} } = {} }) =>
        !('cpu' in requests && 'memory' in requests && 'memory' in limits),
    )
    expect(bad.map(({ where }) => where)).toEqual([])
  })

  it('gets no token for the API of the cluster', async () => {
    const accounts = new Map(
      (await resources)
        .filter(({ kind }) => kind === 'ServiceAccount')
        .map((account) => [account.metadata.name, account as Resource & { automountServiceAccountToken?: boolean }]),
    )
    for (const { name, pod } of await workloads) {
      expect(
        pod.spec.automountServiceAccountToken ??
          accounts.get(pod.spec.serviceAccountName ?? 'default')?.automountServiceAccountToken,
        name,
      ).toBe(false)
      if (pod.spec.serviceAccountName !== undefined)
        expect([...accounts.keys()], name).toContain(pod.spec.serviceAccountName)
    }
  })

  it('has a read-only file system in the containers of the apps', async () => {
    const ours = (await containers).filter(({ image }) => image.startsWith('registry.example.com/'))
    expect(ours.length).toBeGreaterThan(4)
    expect(
      ours.filter(({ securityContext }) => securityContext?.readOnlyRootFilesystem !== true).map(({ where }) => where),
    ).toEqual([])
  })

  it('has probes for liveness and readiness in Deployments and StatefulSets', async () => {
    for (const { kind, name, pod } of await workloads) {
      if (kind !== 'Deployment' && kind !== 'StatefulSet') continue
      for (const { name: container, livenessProbe, readinessProbe, startupProbe, ports = [] } of pod.spec.containers) {
        const where = `${name}/${container}`
        expect([livenessProbe, readinessProbe], where).not.toContain(undefined)
        const asked = [livenessProbe, readinessProbe, startupProbe].flatMap(
          (probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port ?? [],
        )
        expect(
          asked.filter(
            (port) => !ports.some(({ name: portName, containerPort }) => port === portName || port === containerPort),
          ),
          where,
        ).toEqual([])
      }
    }
  })

  it('reads only keys that Secrets and ConfigMaps have, and only those that it needs', async () => {
    const all = await resources
    const secrets = secretsOf(all)
    const isOutside = JSON.stringify(values).includes('existingSecret')
    for (const { name, pod } of await workloads) {
      for (const { name: container, env = [], envFrom } of containersOf(pod.spec)) {
        const where = `${name}/${container}`
        expect(envFrom, where).toBeUndefined()
        const refs = env.flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef as KeyRef | undefined) ?? [])
        expect(
          refs.map(({ key }) => key).filter((key) => !keysOf[where]?.includes(key)),
          `${where} reads`,
        ).toEqual([])
        if (!isOutside)
          expect(
            refs.filter(({ name: secret, key }) => !secrets[`${secret}/${key}`]),
            where,
          ).toEqual([])
      }
      const maps = all.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name)
      const mounted = ((pod.spec.volumes ?? []) as { configMap?: { name: string } }[]).flatMap(
        ({ configMap }) => configMap?.name ?? [],
      )
      expect(maps, name).toEqual(expect.arrayContaining(mounted))
    }
  })

  it('has a volume for each mount, and mounts each volume', async () => {
    for (const { name, pod, resource } of await workloads) {
      const claims = (resource.spec as { volumeClaimTemplates?: Resource[] }).volumeClaimTemplates ?? []
      const places = [
        ...(pod.spec.volumes ?? []).map((volume) => volume.name),
        ...claims.map(({ metadata }) => metadata.name),
      ]
      const mounted = containersOf(pod.spec).flatMap((container) =>
        ((container as { volumeMounts?: { name: string }[] }).volumeMounts ?? []).map((mount) => mount.name),
      )
      expect(new Set(mounted), name).toEqual(new Set(places))
    }
  })

  it('has no secret in its spec or in a ConfigMap', async () => {
    const all = await resources
    const secrets = Object.entries(secretsOf(all)).filter(([, value]) => value.length >= 8)
    const others = JSON.stringify(all.filter(({ kind }) => kind !== 'Secret'))
    const seen = secrets.filter(([, value]) =>
      [value, encodeURIComponent(value), Buffer.from(value).toString('base64')].some((form) =>
        others.includes(JSON.stringify(form).slice(1, -1)),
      ),
    )
    expect(seen.map(([key]) => key)).toEqual([])
  })
})

describe('a given secret', () => {
  it('is found only in Secrets', async () => {
    const all = parseResources(await render(given))
    const others = JSON.stringify(all.filter(({ kind }) => kind !== 'Secret'))
    const secrets = JSON.stringify(secretsOf(all))
    for (const value of [
      'given-cookie-secret',
      'given-postgres',
      'given-apps',
      'given-redis-password',
      'given-rabbitmq-password',
      'given-s3-access-key',
      'given-s3-secret-key',
      'given-mailgun-key',
    ]) {
      expect(secrets).toContain(value)
      expect(others).not.toContain(value)
    }
  })

  it('is encoded in a URL', async () => {
    const secrets = secretsOf(parseResources(await render(given)))
    for (const [key, user, password] of [
      ['DATABASE_URL', 'chat_app', given.app.postgres_app_password],
      ['MIGRATIONS_DATABASE_URL', 'chat', given.app.postgres_password],
    ] as const) {
      const url = new URL(secrets[`app-secrets/${key}`] ?? '')
      expect(decodeURIComponent(url.password)).toBe(password._default)
      expect([url.protocol, url.username, url.host, url.pathname]).toEqual([
        'postgres:',
        user,
        'postgres:5432',
        '/chat',
      ])
    }
  })
})

describe('a generated secret', () => {
  it('is long, and differs with each rendering', async () => {
    const [one, two] = await Promise.all([renderAnew(), renderAnew()]).then((texts) =>
      texts.map((text) => secretsOf(parseResources(text))),
    )
    for (const key of [
      'COOKIE_SECRET',
      'POSTGRES_PASSWORD',
      'POSTGRES_APP_PASSWORD',
      'REDIS_PASSWORD',
      'RABBITMQ_PASSWORD',
      'S3_ACCESS_KEY',
      'S3_SECRET_KEY',
    ]) {
      expect(one?.[`app-secrets/${key}`], key).toMatch(/^[A-Za-z0-9]{16,}$/)
      expect(one?.[`app-secrets/${key}`], key).not.toBe(two?.[`app-secrets/${key}`])
    }
  })
})

describe('Redis', () => {
  it('requires the password that servers and workers have', async () => {
    const secrets = secretsOf(parseResources(await render(given)))
    const password = secrets['app-secrets/REDIS_PASSWORD'] ?? ''
    // Runs the command with a program in place of redis-server that prints its configuration.
    const { command = [], args = [] } = (await find('redis')).pod.spec.containers[0] as {
      command?: string[]
      args?: string[]
    }
    const folder = mkdtempSync(join(tmpdir(), 'chat-redis-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'redis-server'), '#!/bin/sh\ncat\n', { mode: 0o755 })
    const { stdout } = await run('env', [
      `PATH=${folder}:${process.env.PATH}`,
      `REDISCLI_AUTH=${password}`,
      ...command,
      ...args,
    ])
    expect(stdout).toMatch(new RegExp(`^requirepass "${password}"$`, 'm'))
    expect(decodeURIComponent(new URL(secrets['app-secrets/SESSION_REDIS'] ?? '').password)).toBe(password)
  })
})

describe('the roles in the database', () => {
  const urlsIn = async (values: object) => {
    const secrets = secretsOf(parseResources(await render(values)))
    return ['DATABASE_URL', 'MIGRATIONS_DATABASE_URL'].map((key) => new URL(secrets[`app-secrets/${key}`] ?? ''))
  }

  it('are two: the migrations connect as the owner, all others as another role with another password', async () => {
    const [apps, migrations] = await urlsIn({})
    expect([apps?.username, migrations?.username]).toEqual(['chat_app', 'chat'])
    expect(apps?.password).not.toBe(migrations?.password)
    expect(apps?.host + (apps?.pathname ?? '')).toBe(migrations?.host + (migrations?.pathname ?? ''))
    const owner = (await find('postgres')).pod.spec.containers[0]?.env?.find(
      ({ name }) => name === 'POSTGRES_USER',
    )?.value
    expect(owner).toBe(migrations?.username)
  })

  it.concurrent.each(Object.entries(cases))(
    'let only the Job of the migrations, and PostgreSQL itself, be the owner: %s',
    async (_, values) => {
      const secrets = ['MIGRATIONS_DATABASE_URL', 'POSTGRES_PASSWORD']
      const readers = workloadsOf(parseResources(await render(values))).filter(({ pod }) =>
        containersOf(pod.spec).some(({ env = [] }) =>
          env.some(({ valueFrom }) => secrets.includes((valueFrom?.secretKeyRef as KeyRef | undefined)?.key ?? '')),
        ),
      )
      expect(readers.map(({ name }) => name).filter((name) => name !== 'postgres')).toEqual(['migrations'])
    },
  )

  it('are those of the given URLs, in a database outside', async () => {
    const migrations_database_url = { _default: 'postgres://owner:outside-owner-password@db.example.com:5432/chat' }
    const two = await urlsIn({ ...outside.postgres, app: { ...outside.postgres.app, migrations_database_url } })
    expect(two.map(({ username }) => username)).toEqual(['chat', 'owner'])
    const one = await urlsIn(outside.postgres)
    expect(one.map(({ username }) => username)).toEqual(['chat', 'chat'])
  })

  it('may be one in a Secret of your own, which need not have the URL of the owner', async () => {
    const { pod } = await find('migrations', cases['a Secret made outside'])
    for (const { name, env = [] } of containersOf(pod.spec)) {
      const ref = (key: string) => env.find((one) => one.name === key)?.valueFrom?.secretKeyRef
      expect(ref('MIGRATIONS_DATABASE_URL'), name).toEqual({
        name: 'outside-secrets',
        key: 'MIGRATIONS_DATABASE_URL',
        optional: true,
      })
      expect(ref('DATABASE_URL'), name).toEqual({ name: 'outside-secrets', key: 'DATABASE_URL' })
    }
  })
})

describe('the server pod', () => {
  const pod = () => find('server').then(({ pod: { spec } }) => spec)

  it('has time to stop: nginx stops after the server, and the node waits for both', async () => {
    const spec = await pod()
    const sleeps = Object.fromEntries(
      spec.containers.map(({ name, lifecycle }) => [
        name,
        Number(/sleep[ ,"]+(\d+)/.exec(lifecycle?.preStop?.exec?.command.join(' ') ?? '')?.[1]),
      ]),
    )
    expect(sleeps).toEqual({ server: 5, web: 20 })
    // The server needs DRAIN_MS to go on serving, DRAIN_MS to close its sockets, and STOP_TIMEOUT_MS at most.
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(5 + 25)
    expect(sleeps.web).toBeGreaterThanOrEqual(5 + 5 + 5)
  })

  it('stops nginx with the pid file that its configuration names', async () => {
    const [, pidFile = ''] = /^pid (.*);$/m.exec(read('apps/web/nginx.conf')) ?? []
    const command = (await pod()).containers
      .find(({ name }) => name === 'web')
      ?.lifecycle?.preStop?.exec?.command.join(' ')
    expect(pidFile).not.toBe('')
    expect(command).toContain(`kill -QUIT "$(cat ${pidFile})"`)
  })

  it('runs server and web in one pod, on the ports of the Services', async () => {
    const ports = (await pod()).containers.map(({ name, ports: own = [] }) => [
      name,
      Object.fromEntries(own.map(({ name: port = '', containerPort }) => [port, containerPort])),
    ])
    expect(Object.fromEntries(ports)).toEqual({ server: { http: 8080, metrics: 9464 }, web: { web: 8081 } })
  })

  it('stops only after the new pod is ready', async () => {
    const { resource } = await find('server')
    expect(resource.spec).toMatchObject({ strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } })
  })

  it('releases its volume before a new pod mounts it', async () => {
    const { resource, pod } = await find('server', builtIn.storage)
    expect(resource.spec).toMatchObject({ strategy: { type: 'Recreate' } })
    expect(pod.spec.volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'server' } })
  })

  it('has the variables for config.json when there is no nginx', async () => {
    const values = {
      ...builtIn.assets,
      domain: { _default: 'https://chat.example.com' },
      loginUrl: { _default: '/welcome' },
    }
    const env = Object.fromEntries(
      (await find('server', values)).pod.spec.containers[0]!.env!.map(({ name, value }) => [name, value]),
    )
    expect(env).toMatchObject({ WEB_DOMAIN: 'https://chat.example.com', WEB_LOGIN_URL: '/welcome' })
  })

  it('has variables that the server accepts', async () => {
    for (const values of Object.values(cases)) {
      const env = (await find('server', values)).pod.spec.containers[0]!.env!.map(
        ({ name, value }) => [name, value ?? stand[name] ?? 'a secret of sixteen'] as const,
      )
      expect(() => readConfig({ NODE_ENV: 'production', ...Object.fromEntries(env) })).not.toThrow()
    }
  })
})

/** URLs in place of those in the Secret. */
const stand: Record<string, string> = {
  DATABASE_URL: 'postgres://chat@postgres/chat',
  SESSION_REDIS: 'redis://redis',
  AMQP_URI: 'amqp://rabbitmq',
}

async function find(name: string, values: object = {}): Promise<Workload> {
  const workload = workloadsOf(parseResources(await render(values))).find((one) => one.name === name)
  if (workload === undefined) throw new Error(`There is no ${name}.`)
  return workload
}
