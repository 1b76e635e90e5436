import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Account, Room } from '../../apps/server/src/contract.js'
import { run, until } from './commands.js'
import { deployers, type Deployer } from './deployers.js'
import { createNamespace, type Namespace, type Pod } from './namespace.js'
import { ask, Person, type Address } from './people.js'
import { readSurroundings } from './surroundings.js'
import { brokenTable, makeVersions } from './versions.js'
import { Crowd, PageLoader } from './watchers.js'

const surroundings = readSurroundings(process.env)

/** A deployment from installation to removal. Each test needs the tests before it. */
describe.each(deployers.map((each) => [each.name, each.create] as const))('the chat, deployed by %s', (_, create) => {
  let namespace: Namespace
  let deployer: Deployer
  let address: Address
  let versions: Awaited<ReturnType<typeof makeVersions>>
  let ann: Person
  let ben: Person
  let crowd: Crowd
  let loader: PageLoader
  let passwords: Record<string, string>

  beforeAll(async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'chat-cluster-'))
    namespace = await createNamespace(scratch)
    address = { host: surroundings.hostIn(namespace.name), ingress: surroundings.ingress }
    versions = await makeVersions(scratch)
    deployer = create({
      namespace,
      surroundings,
      scratch,
      values: [
        `global.ci_url=${address.host}`,
        'server.replicas.test=2',
        'fixtures.enabled.test=true',
        ...['sign_in', 'sign_up', 'post', 'upload', 'room'].map((limit) => `app.limits.${limit}.test=10000/10`),
      ],
    })
  })
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') process.stdout.write(`\n${await namespace.describe().catch(String)}\n`)
  })
  afterAll(async () => {
    for (const person of [ann, ben, crowd]) person?.leave()
    await namespace?.remove()
  })

  it('is installed into an empty namespace under Pod Security “restricted”: every pod gets ready, none is refused or restarted', async () => {
    await deployer.build(versions.first)
    await deployer.deploy(versions.first)
    await namespace.ready('server', 2)
    for (const app of ['worker', 'postgres', 'redis', 'rabbitmq', 's3']) await namespace.ready(app, 1)
    expect(restartsOf(await namespace.pods())).toEqual({})
    expect(await namespace.kubectl('get', 'events', '-o', 'jsonpath={.items[*].message}')).not.toMatch(
      /violates PodSecurity/,
    )
    passwords = await secretValues()
  })

  it('has the demo people and rooms after the first deployment, because a value turns them on', async () => {
    await until('the demo people', async () => {
      const headers = { origin: `http://${address.host}`, 'content-type': 'application/json' }
      const { status } = await ask(address, '/api/session', {
        method: 'POST',
        headers,
        body: JSON.stringify({ email: 'anna@example.com', password: 'anna loves helm' }),
      })
      expect(status).toBe(201)
    })
  })

  it('has a role in the database that reads and writes rows, and may change nothing else', async () => {
    const env = await namespace.kubectl('exec', 'deployment/server', '--container', 'server', '--', 'env')
    expect(env).not.toContain('MIGRATIONS_DATABASE_URL')
    const [, url = ''] = /^DATABASE_URL=(.*)$/m.exec(env) ?? []
    const sql = (statement: string) =>
      namespace.kubectl('exec', 'statefulset/postgres', '--', 'psql', '--no-psqlrc', url, '-qAtc', statement)
    expect(await sql(`select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user`)).toBe(
      'f|f|f\n',
    )
    expect(await sql(`update presence set seen_at = now()`)).toBe('')
    for (const statement of [
      'create table spoils ()',
      'alter table accounts add column spoils text',
      'drop table messages',
      'truncate messages',
      'delete from pgmigrations',
    ]) {
      await expect(sql(statement), statement).rejects.toThrow(/permission denied|must be owner/)
    }
  })

  it('protects Redis with a password', async () => {
    const asked = (as: string) =>
      namespace.kubectl('exec', 'statefulset/redis', '--', 'sh', '-c', `${as} redis-cli dbsize`)
    expect(await asked('')).toMatch(/^\d+\n$/)
    expect(await asked('env -u REDISCLI_AUTH')).toContain('NOAUTH')
  })

  it('sends compressed assets that browsers may cache for ever', async () => {
    const page = await ask(address, '/')
    expect(page).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } })
    const paths = [...page.body.toString().matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '')
    const types: Record<string, RegExp> = {
      js: /^(text|application)\/javascript/,
      css: /^text\/css/,
      svg: /^image\/svg\+xml/,
    }
    expect(paths.map((path) => path.split('.').at(-1)).sort()).toEqual(Object.keys(types).sort())
    for (const path of paths) {
      const plain = await ask(address, path)
      expect(plain.status).toBe(200)
      expect(plain.headers).toMatchObject({
        'cache-control': expect.stringContaining('immutable') as string,
        'x-content-type-options': 'nosniff',
      })
      expect(plain.headers['content-type']).toMatch(types[path.split('.').at(-1) ?? ''] ?? /^$/)
      expect(plain.headers['content-encoding']).toBeUndefined()
      const zipped = await ask(address, path, { headers: { 'accept-encoding': 'gzip' } })
      expect(zipped.headers).toMatchObject({
        'content-encoding': 'gzip',
        vary: expect.stringMatching(/accept-encoding/i) as string,
      })
      expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true)
      // Only if nginx has the module.
      const smaller = await ask(address, path, { headers: { 'accept-encoding': 'br' } })
      if (smaller.headers['content-encoding'] === 'br')
        expect(brotliDecompressSync(smaller.body).equals(plain.body)).toBe(true)
      else expect(smaller.body.equals(plain.body)).toBe(true)
    }
    expect((await ask(address, '/assets/main.0123456789abcdef0123.js')).status).toBe(404)
  })

  it('sends the configuration of this environment, which browsers must not cache', async () => {
    const { status, headers, json } = await ask(address, '/assets/config.json')
    expect([status, headers['cache-control']]).toEqual([200, 'no-cache'])
    expect(json()).toEqual(
      JSON.parse(await namespace.kubectl('get', 'configmap', 'app-config', '-o', 'jsonpath={.data.config\\.json}')),
    )
  })

  it('shows metrics inside the cluster only', async () => {
    expect(await metricsOf((await namespace.pods('server'))[0]!)).toContain('chat_sockets')
    const { status, body } = await ask(address, '/metrics')
    expect([status, body.includes('chat_sockets')]).toEqual([404, false])
  })

  it('delivers messages both ways between people on different replicas', async () => {
    ;[ann, ben] = await Promise.all([Person.signUp(address, 'Ann'), Person.signUp(address, 'Ben')])
    const room = await ann.ask<Room>('POST', '/api/rooms', { name: 'Garden', kind: 'public' })
    await ann.enter(room)
    await ben.enter(room)
    await ann.connect()
    await until('Ben to be on another replica than Ann', async () => {
      ben.leave()
      // An odd number of requests in each turn of the loop. With an even number, round robin would choose the same replica each time.
      await ask(address, '/version')
      await ben.connect()
      const pods = await namespace.pods('server')
      expect(
        await Promise.all(pods.map(async (pod) => /^chat_sockets (\d+)$/m.exec(await metricsOf(pod))?.[1])),
      ).toEqual(['1', '1'])
    })
    await ann.post('Hello Ben!')
    await ben.post('Hello Ann!')
    for (const { screen } of [ann, ben]) {
      await until('both messages on both screens', () =>
        expect(screen.map(({ body }) => body)).toEqual(expect.arrayContaining(['Hello Ben!', 'Hello Ann!'])),
      )
    }
  })

  it('greets new people and sends them a mail, through RabbitMQ and the worker', async () => {
    await until('the greeting', () =>
      expect(ann.screen.map(({ author, body }) => `${author.name}: ${body}`)).toContain('Greeter: Welcome, Ben!'),
    )
    for (const person of [ann, ben]) {
      const mailbox = await until('the mail', async () => {
        const page = await person.ask<string>('GET', '/mailbox')
        expect(page).toContain(person.email)
        return page
      })
      expect(mailbox.match(/Welcome to the chat/g)).toHaveLength(1)
    }
  })

  it('keeps pictures in the bucket', async () => {
    const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3366cc' } })
      .png()
      .toBuffer()
    ann.account = await ann.ask<Account>('PUT', '/api/me/avatar', picture)
    await seesPictureOf(ann)
    const key = ann.account.avatarUrl?.split('/').at(-1) ?? ''
    expect(
      await namespace.kubectl('exec', 'statefulset/s3', '--', 'find', '/data/avatars/avatars', '-name', key),
    ).toContain(key)
  })

  it('stays within its limit of memory with pictures that are made to fill it', async () => {
    const limits = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'].map(
      (file) => `cat ${file} 2>/dev/null`,
    )
    const limit = Number(
      await namespace.kubectl(
        'exec',
        'deployment/server',
        '--container',
        'server',
        '--',
        'sh',
        '-c',
        limits.join(' || '),
      ),
    )
    expect(limit).toBe(512 * 1024 * 1024)
    const before = await namespace.ready('server', 2)
    // Interlaced and with 16 bits: the decoder needs all pixels in memory at once, with 8 bytes each.
    const heavy = async (edge: number) => {
      const picture = sharp({
        create: { width: edge, height: edge, channels: 4, background: { r: 0, g: 128, b: 128, alpha: 0.5 } },
      })
      return picture.toColourspace('rgb16').png({ progressive: true, compressionLevel: 9 }).toBuffer()
    }
    const [allowed, refused] = [await heavy(3_900), await heavy(6_300)]
    const upload = async (picture: Buffer) =>
      (await Person.signUp(address, 'Painter')).ask<Account>('PUT', '/api/me/avatar', picture)
    const outcomes = await Promise.allSettled([allowed, refused, allowed, refused].map(upload))
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : 'stored'))).toEqual([
      'stored',
      expect.stringContaining('answered 413'),
      'stored',
      expect.stringContaining('answered 413'),
    ])
    const after = await namespace.ready('server', 2)
    expect(after.map(({ metadata }) => metadata.uid).sort()).toEqual(before.map(({ metadata }) => metadata.uid).sort())
    expect(restartsOf(after)).toEqual({})
  })

  it('is found healthy by the doctor', async () => {
    expect(await diagnosis()).toMatch(/\nEverything works\.\n$/)
  })

  it('passes its acceptance test when a value asks for it, and nothing else happens', async () => {
    const before = await whatRuns()
    await deployer.deploy(versions.first, { values: ['acceptance.enabled.test=true'] })
    expect(
      await namespace.kubectl(
        'get',
        'events',
        '--field-selector',
        'involvedObject.kind=Job,reason=Completed',
        '-o',
        'jsonpath={.items[*].involvedObject.name}',
      ),
    ).toMatch(/\bacceptance\b/)
    expect(await whatRuns()).toEqual(before)
  })

  it('is not touched by a deployment that changes nothing', async () => {
    const before = [await whatRuns(), await secretValues()]
    await deployer.deploy(versions.first)
    expect([await whatRuns(), await secretValues()]).toEqual(before)
    expect(await secretValues()).toEqual(passwords)
  })

  it('is updated to a new version and schema without errors for people who write and load pages', async () => {
    await deployer.build(versions.second)
    crowd = await Crowd.gather(address, 6)
    loader = new PageLoader(address, ann)
    const before = await namespace.pods('server')
    crowd.start()
    loader.start()
    await deployer.deploy(versions.second)
    await namespace.ready('server', 2, before)
    await namespace.gone(before)
    expect([await crowd.stop(), await loader.stop()]).toEqual([[], []])
    expect(loader.pages.size).toBe(2)
    await crowd.seesEverythingOnce()
  })

  it('keeps its generated passwords', async () => {
    expect(await secretValues()).toEqual(passwords)
  })

  it('keeps the password of a service that is switched off, for its volume', async () => {
    const elsewhere = [
      'postgres.enabled=false',
      'app.database_url.test=postgres://chat@db.example.com/chat',
      'rabbitmq.enabled=false',
      'app.amqp_uri.test=amqp://mq.example.com',
    ]
    const given = [
      ...elsewhere,
      'global.env=test',
      ...['server', 'worker', 'web'].map((name) => `global.werf.images.${name}.ref_tag=some:image`),
    ].flatMap((value) => ['--set', value])
    const { stdout } = await run('helm', [
      'template',
      'chat',
      join(versions.first.directory, '.helm'),
      '--namespace',
      namespace.name,
      '--dry-run=server',
      '--show-only',
      'templates/app-secrets.yaml',
      ...given,
    ])
    for (const name of ['POSTGRES_PASSWORD', 'RABBITMQ_PASSWORD'])
      expect(stdout).toContain(`${name}: ${Buffer.from(passwords[name] ?? '').toString('base64')}`)
  })

  it('is unchanged when a migration fails, and the log of the Job has the reason', async () => {
    await deployer.build(versions.broken)
    const before = await namespace.pods('server')
    crowd.start()
    loader.start()
    // werf fails at once. Helm waits for the servers until its timeout.
    await expect(deployer.deploy(versions.broken, { timeoutSeconds: 60 })).rejects.toThrow()
    const failed = (await namespace.jobs()).find(({ status }) => (status.failed ?? 0) > 0)
    expect(failed?.metadata.name).toMatch(/^migrations-/)
    expect(await namespace.logsOf(`job/${failed?.metadata.name}`)).toContain(brokenTable)
    expect([await crowd.stop(), await loader.stop()]).toEqual([[], []])
    expect(loader.pages.size).toBe(2)
    const after = await namespace.pods('server')
    expect(after.map(({ metadata }) => metadata.uid)).toEqual(
      expect.arrayContaining(before.map(({ metadata }) => metadata.uid)),
    )
    await crowd.seesEverythingOnce()
  })

  it('returns to the version before, with the newer schema', async () => {
    const before = await namespace.pods('server')
    crowd.start()
    loader.start()
    await deployer.rollback(versions.first)
    await namespace.ready('server', 2, before)
    await namespace.gone(before)
    expect([await crowd.stop(), await loader.stop()]).toEqual([[], []])
    expect(loader.pages.size).toBe(2)
    await crowd.seesEverythingOnce()
    expect(await diagnosis()).toContain('newer than this release (9000_second_version)')
  })

  it('is scaled to one server, to three and to one again, without errors for people', async () => {
    crowd.start()
    loader.start()
    for (const count of [1, 3, 1, 2]) {
      const before = await namespace.pods('server')
      await namespace.kubectl('scale', 'deployment/server', `--replicas=${count}`)
      const after = await namespace.ready('server', count)
      await namespace.gone(before.filter(({ metadata }) => after.every((pod) => pod.metadata.uid !== metadata.uid)))
    }
    expect([await crowd.stop(), await loader.stop()]).toEqual([[], []])
    await crowd.seesEverythingOnce()
  })

  describe.each([
    ['server', 2],
    ['redis', 1],
    ['postgres', 1],
    ['rabbitmq', 1],
    ['s3', 1],
  ])('a pod of %s that is killed', (app, count) => {
    it('recovers by itself, and nothing is lost', async () => {
      const [victim] = await namespace.pods(app)
      crowd.start()
      await namespace.kubectl('delete', 'pod', victim!.metadata.name, '--grace-period=0', '--force')
      // Work that is requested during the outage is done later, once.
      const room = await until('a new room', () =>
        ann.ask<Room>('POST', '/api/rooms', { name: `After ${app}`, kind: 'public' }),
      )
      await until('Ben in it', () => ben.enter(room))
      await namespace.ready(app, count, [victim!])
      await until('the greeting', async () =>
        expect((await ben.history()).filter(({ body }) => body === 'Welcome, Ben!')).toHaveLength(1),
      )
      await until('the picture', () => seesPictureOf(ann))
      await crowd.stop()
      await crowd.seesEverythingOnce()
      await until('a page without faults', async () => {
        loader.faults.length = 0
        await loader.load()
        expect(loader.faults).toEqual([])
      })
    })
  })

  it('is healthy after all that', async () => {
    expect(await diagnosis()).toMatch(/\nEverything works\.\n$/)
  })

  it('has no secrets in ConfigMaps, pods and logs', async () => {
    const shown = [
      await namespace.kubectl('get', 'configmaps,pods,deployments,statefulsets,jobs,cronjobs', '-o', 'yaml'),
      await namespace.logs(),
    ].join('\n')
    const values = Object.entries(await secretValues()).filter(([, value]) => value.length > 8)
    expect(values.length).toBeGreaterThan(5)
    expect(values.filter(([, value]) => shown.includes(value)).map(([key]) => key)).toEqual([])
  })

  it('is removed, except the volumes and their passwords', async () => {
    crowd.leave()
    await deployer.remove()
    // Resources of Kubernetes, and the lock of werf.
    const own = /^(configmap\/(kube-root-ca\.crt|werf-synchronization)|serviceaccount\/default)$/
    await until('only this to be left', async () =>
      expect((await namespace.everything()).filter((name) => !own.test(name))).toEqual([
        ...['postgres', 'rabbitmq', 'redis', 's3'].map((app) => `persistentvolumeclaim/data-${app}-0`),
        'secret/app-secrets',
      ]),
    )
  })

  /** The output of the doctor, run as docs/deploy.md describes. */
  async function diagnosis(): Promise<string> {
    await namespace.kubectl('create', 'job', 'doctor', '--from=cronjob/doctor')
    await until('the doctor to be done', async () => {
      const { status } = (await namespace.jobs()).find(({ metadata }) => metadata.name === 'doctor')!
      expect((status.succeeded ?? 0) + (status.failed ?? 0)).toBe(1)
    })
    const said = await namespace.logsOf('job/doctor')
    await namespace.kubectl('delete', 'job', 'doctor')
    return said
  }

  /** Names and values of the Secret of the chart. */
  async function secretValues(): Promise<Record<string, string>> {
    const { data } = JSON.parse(await namespace.kubectl('get', 'secret', 'app-secrets', '-o', 'json')) as {
      data: Record<string, string>
    }
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    )
  }

  /** The uids of pods and Jobs. A replaced one has a new uid. */
  async function whatRuns(): Promise<unknown> {
    const pods = await namespace.pods()
    const names = [...pods, ...(await namespace.jobs())].map(({ metadata }) => `${metadata.name} ${metadata.uid}`)
    return { names: names.sort(), restarts: restartsOf(pods) }
  }

  async function metricsOf({ metadata }: Pod): Promise<string> {
    return namespace.kubectl(
      'get',
      '--raw',
      `/api/v1/namespaces/${namespace.name}/pods/${metadata.name}:9464/proxy/metrics`,
    )
  }

  async function seesPictureOf({ account }: Person): Promise<void> {
    const { status, headers, body } = await ask(address, account.avatarUrl ?? '')
    expect([status, headers['content-type']]).toEqual([200, 'image/webp'])
    expect((await sharp(body).metadata()).width).toBe(256)
  }
})

/** Containers that were restarted, and how often. */
function restartsOf(pods: Pod[]): Record<string, number> {
  const containers = pods.flatMap(({ metadata, status }) =>
    (status.containerStatuses ?? []).map(
      ({ name, restartCount }) => [`${metadata.name} ${name}`, restartCount] as const,
    ),
  )
  return Object.fromEntries(containers.filter(([, count]) => count > 0))
}
