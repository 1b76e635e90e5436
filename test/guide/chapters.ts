import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import sharp from 'sharp'
import { expect } from 'vitest'
import type { Account, Room } from '../../apps/server/src/contract.js'
import type { FakeMailgun } from '../../apps/server/src/test/mailgun.js'
import { until } from '../cluster/commands.js'
import type { Namespace } from '../cluster/namespace.js'
import { ask, Person, type Address } from '../cluster/people.js'

/** Where the reader stands: the cluster after the last chapter. */
export interface Walk {
  namespace: Namespace
  address: Address
  mailgun: FakeMailgun
  /** Deploys with the chapter's values and what earlier chapters have set by hand; from now on another version, when one is named. */
  deploy(more?: { version?: VersionName; set?: string[] }): Promise<void>
  /** A second environment, in a namespace of its own. */
  elsewhere: Address
  deployElsewhere(): Promise<void>
  buildTests(): Promise<void>
  /** The image that holds the tests, once it is built. */
  testsImage?: string
}

export type VersionName = 'first' | 'recoloured' | 'reworded'

export interface Chapter {
  /** Its folder in docs/guide. */
  name: string
  /** What the page of the chapter promises. */
  promise: string
  /** Finds the promise kept, or throws. */
  look: (walk: Walk) => Promise<void>
  /** What keeps the promise from being kept in the state before. */
  lacks: RegExp
  /** What has to be done by hand before the next deploy, by who skips the chapter too. */
  prepare?: (walk: Walk) => Promise<unknown>
  /** How the reader gets there, when it is not a deploy with the chapter's values and nothing else. */
  go?: (walk: Walk) => Promise<unknown>
}

/** In the guide's order. Argo CD's cycle has a test of its own: test/cluster/argo-cd.test.ts */
export const chapters: Chapter[] = [
  {
    name: '01-hello-world',
    promise: 'one process shows the page to who forwards its port',
    lacks: /services "server" not found/,
    async look(walk) {
      expect(await insideAsk(walk, 'readyz')).toBe('ready\n')
      expect(await insideAsk(walk, '')).toContain('<div id="app">')
      expect(await containers(walk)).toEqual(['postgres', 'server'])
    },
  },
  {
    name: '02-local-build',
    promise: 'what the reader changes in the sources is in the image',
    lacks: /to match .*second-version/,
    async look(walk) {
      const [stylesheet = ''] = /assets\/main\.\w+\.css/.exec(await insideAsk(walk, '')) ?? []
      expect(await insideAsk(walk, stylesheet)).toMatch(/^[^<]*\.second-version/)
    },
    go: (walk) => walk.deploy({ version: 'recoloured' }),
  },
  {
    name: '03-ci',
    promise: 'images come from a registry that asks for the credentials of the pipeline',
    lacks: /secrets "registry" not found/,
    async look({ namespace }) {
      const config = await namespace.kubectl('get', 'secret', 'registry', '-o', 'jsonpath={.data.\\.dockerconfigjson}')
      expect(Buffer.from(config, 'base64').toString()).toBe(dockerConfig)
      expect(await namespace.kubectl('get', 'serviceaccount', 'server', '-o', 'jsonpath={.imagePullSecrets[*].name}')).toBe('registry')
    },
    // As `werf ci-env` hands it on.
    go: (walk) => walk.deploy({ set: [`dockerconfigjson=${Buffer.from(dockerConfig).toString('base64')}`] }),
  },
  {
    name: '04-deploy',
    promise: 'people reach the chat by its name, sign up and talk',
    lacks: /404/,
    look: peopleTalk,
  },
  {
    name: '05-dependencies',
    promise: 'an image built after a change of the sources shares its packages with the one before',
    lacks: /there is no other image/,
    async look(walk) {
      const refs = await walk.namespace.kubectl('get', 'replicasets', '-l', 'app.kubernetes.io/name=server', '--sort-by=.metadata.creationTimestamp', '-o', 'jsonpath={.items[*].spec.template.spec.containers[0].image}')
      const [before = '', now = ''] = [...new Set(refs.split(' '))].slice(-2)
      if (!(await insideAsk(walk, '')).includes(newWords)) throw new Error('there is no other image')
      const [old, current] = await Promise.all([before, now].map(layersOf))
      const fresh = current!.filter(({ digest }) => old!.every((layer) => layer.digest !== digest))
      expect(fresh.length).toBeGreaterThan(0)
      // Packages are some ten times that.
      expect(fresh.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(3_000_000)
    },
    go: (walk) => walk.deploy({ version: 'reworded' }),
  },
  {
    name: '06-assets',
    promise: 'an nginx hands out the assets, compressed, and the configuration of the environment',
    lacks: /to deeply equal \[ 'postgres', 'server', 'web' \]/,
    async look(walk) {
      expect(await containers(walk)).toEqual(['postgres', 'server', 'web'])
      const [, script = ''] = /src="(\/assets\/main\.\w+\.js)"/.exec((await ask(walk.address, '/')).body.toString()) ?? []
      const { headers } = await ask(walk.address, script, { headers: { 'accept-encoding': 'br' } })
      expect(headers).toMatchObject({ 'content-encoding': 'br', 'cache-control': expect.stringContaining('immutable') as string })
      expect((await ask(walk.address, '/assets/config.json')).json()).toEqual({ domain: '', loginUrl: '/sign-in' })
    },
  },
  {
    name: '07-files',
    promise: 'a picture is an object in the bucket',
    lacks: /statefulsets.apps "s3" not found/,
    async look({ namespace, address }) {
      const ann = await Person.signUp(address, 'Ann')
      const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3366cc' } }).png().toBuffer()
      const { avatarUrl } = await ann.ask<Account>('PUT', '/api/me/avatar', picture)
      expect((await ask(address, avatarUrl ?? '')).headers['content-type']).toBe('image/webp')
      const key = avatarUrl?.split('/').at(-1) ?? ''
      expect(await namespace.kubectl('exec', 'statefulset/s3', '--', 'find', '/data', '-name', key)).toContain(key)
    },
  },
  {
    name: '08-e-mail',
    promise: 'mail to a newcomer leaves by Mailgun',
    lacks: /expected 200 to be 404/,
    async look({ address, mailgun }) {
      const ann = await Person.signUp(address, 'Ann')
      // The mailbox is a page of its own, for who has no Mailgun.
      expect((await ask(address, '/mailbox', { headers: ann.headers })).status).toBe(404)
      await until('the mail at Mailgun', () => expect(mailgun.taken.filter(({ to }) => to?.includes(ann.email))).toHaveLength(1))
    },
  },
  {
    name: '09-redis',
    promise: 'a post on one copy of the server arrives on another as a live frame',
    lacks: /came by asking/,
    async look({ namespace, address }) {
      await namespace.kubectl('scale', 'deployment/server', '--replicas=2')
      await namespace.ready('server', 2)
      const { ann, ben } = await twoPeople(address)
      try {
        await ann.connect()
        await until('Ben to be on another copy than Ann', async () => {
          ben.leave()
          await ask(address, '/version') // whoever takes turns would send him to the same one each time
          await ben.connect()
          expect(await socketsPerPod(namespace)).toEqual(['1', '1'])
        })
        const frames = ben.frames
        await ann.post('Hello Ben!')
        await until('the message on Ben’s screen', () => expect(ben.screen.map(({ body }) => body)).toContain('Hello Ben!'))
        if (ben.frames === frames) throw new Error('It came by asking for what is missing, not as a frame.')
      } finally {
        for (const person of [ann, ben]) person.leave()
      }
    },
  },
  {
    name: '10-database',
    promise: 'what people have written outlives the pod of the database',
    lacks: /relation "accounts" does not exist/,
    async look({ namespace, address }) {
      const ann = await Person.signUp(address, 'Ann')
      const room = await ann.ask<Room>('POST', '/api/rooms', { name: 'Garden', kind: 'public' })
      await ann.enter(room)
      await ann.connect()
      try {
        const { seq } = await ann.post('Will this stay?')
        const [pod] = await namespace.pods('postgres')
        await namespace.kubectl('delete', 'pod', 'postgres-0', '--grace-period=30')
        await namespace.ready('postgres', 1, [pod!])
        const found = await sql(namespace, `select 1 from accounts where email = '${ann.email}'`)
        expect(found).toBe('1')
        await until('the history', async () => expect((await ann.history()).map((message) => message.seq)).toContain(seq))
        await ann.post('It did.')
      } finally {
        ann.leave()
      }
    },
    // A StatefulSet cannot change its volume, and the migrations have to run once more, in the new database.
    prepare: ({ namespace }) => namespace.kubectl('delete', 'statefulsets,jobs', '--selector', 'app.kubernetes.io/name in (postgres, migrations)'),
  },
  {
    name: '11-fixtures',
    promise: 'the demo people are there',
    lacks: /401/,
    look: ({ address }) => signInAsDemo(address, 201),
    async go(walk) {
      await walk.deploy()
      // By itself it happens with a first deploy only: see 14-environments.
      await walk.namespace.kubectl('exec', 'deployment/server', '-c', 'server', '--', 'node', 'apps/server/dist/cli.js', 'fixtures')
    },
  },
  {
    name: '12-tests',
    promise: 'the linters run in the cluster, in the image that holds them',
    lacks: /eslint: not found/,
    async look({ namespace, testsImage }) {
      const image = testsImage ?? (await namespace.kubectl('get', 'deployment', 'server', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'))
      const container = { name: 'lint', image, command: ['npm', 'run', 'lint'], securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }
      const securityContext = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
      const overrides = JSON.stringify({ spec: { securityContext, containers: [container] } })
      await namespace.kubectl('run', 'lint', '--image', image, '--restart=Never', '--overrides', overrides)
      try {
        await until('the linters to be done', async () => expect(await phaseOf(namespace, 'lint')).toMatch(/Succeeded|Failed/), 600_000)
        if ((await phaseOf(namespace, 'lint')) === 'Failed') throw new Error(await namespace.logsOf('pod/lint'))
      } finally {
        await namespace.kubectl('delete', 'pod', 'lint')
      }
    },
    async go(walk) {
      await walk.deploy()
      await walk.buildTests()
    },
  },
  {
    name: '13-applications',
    promise: 'events wait in RabbitMQ for a worker, whatever happens to the server',
    lacks: /"worker" not found/,
    async look({ namespace, address }) {
      const { ann, ben, room } = await twoPeople(address)
      const greetings = async () => (await ann.history()).filter(({ body }) => body === 'Welcome, Cid!')
      await namespace.kubectl('scale', 'deployment/worker', '--replicas=0')
      for (const pod of await namespace.pods('worker')) await namespace.kubectl('wait', '--for=delete', `pod/${pod.metadata.name}`, '--timeout=120s')
      const cid = await Person.signUp(address, 'Cid')
      await cid.enter(room)
      expect(await greetings()).toEqual([])
      await namespace.kubectl('scale', 'deployment/worker', '--replicas=1')
      await until('the greeting', async () => expect(await greetings()).toHaveLength(1))
      // RabbitMQ counts them every few seconds.
      const queues = () => namespace.kubectl('exec', 'statefulset/rabbitmq', '--', 'rabbitmqctl', '--quiet', 'list_queues', 'name', 'consumers')
      await until('a consumer', async () => expect(await queues()).toMatch(/^chat.greet-newcomer\t[1-9]/m))
      for (const person of [ann, ben, cid]) person.leave()
    },
  },
  {
    name: '14-environments',
    promise: 'a branch has an environment of its own, with its own people, and fixtures at once',
    lacks: /expected 404/,
    async look({ address, elsewhere }) {
      expect((await ask(elsewhere, '/')).status).toBe(200)
      await until('the demo people', () => signInAsDemo(elsewhere, 201))
      const [here, there] = await Promise.all([Person.signUp(address, 'Here'), Person.signUp(elsewhere, 'There')])
      for (const [{ headers }, where] of [[here, elsewhere], [there, address]] as const) {
        expect((await ask(where, '/api/me', { headers })).status).toBe(401)
      }
    },
    async go(walk) {
      await walk.deploy()
      await walk.deployElsewhere()
    },
  },
  {
    name: '16-scheduled-job',
    promise: 'what has expired is forgotten by night',
    lacks: /cronjobs.batch "upkeep" not found/,
    async look({ namespace }) {
      await sql(namespace, `insert into sessions values ('expired', '{}', now() - interval '1 day') on conflict do nothing`)
      await namespace.kubectl('create', 'job', 'tonight', '--from=cronjob/upkeep')
      await namespace.kubectl('wait', '--for=condition=complete', 'job/tonight', '--timeout=180s')
      expect(await sql(namespace, `select count(*) from sessions where id = 'expired'`)).toBe('0')
    },
  },
]

const dockerConfig = JSON.stringify({ auths: { 'registry.example.com': { auth: 'cmVhZGVyOnBhc3N3b3Jk' } } })
/** What the page of the version `reworded` says to who has no JavaScript. */
export const newWords = 'This chat needs JavaScript.'

/** The address of this machine that the cluster can reach. */
export async function addressTowards(host: string): Promise<string> {
  const socket = createSocket('udp4') // nothing is sent
  socket.connect(9, host.split(':')[0])
  await once(socket, 'connect')
  const { address } = socket.address()
  socket.close()
  return address
}

/** One request to the server as `kubectl port-forward` makes it, past every Ingress. */
function insideAsk({ namespace }: Walk, path: string): Promise<string> {
  return namespace.kubectl('get', '--raw', `/api/v1/namespaces/${namespace.name}/services/server:http/proxy/${path}`)
}

/** The containers of all pods that are there to stay. */
async function containers({ namespace }: Walk): Promise<string[]> {
  const names = await namespace.kubectl('get', 'deployments,statefulsets', '-o', 'jsonpath={.items[*].spec.template.spec.containers[*].name}')
  return names.split(' ').sort()
}

/** Two people see the page, sign up, and one hears what the other says. */
export async function peopleTalk({ address }: Walk): Promise<void> {
  expect((await ask(address, '/')).status).toBe(200)
  const { ann, ben } = await twoPeople(address)
  try {
    await Promise.all([ann.connect(), ben.connect()])
    await ann.post('Hello Ben!')
    await until('the message on Ben’s screen', () => expect(ben.screen.map(({ body }) => body)).toContain('Hello Ben!'))
  } finally {
    for (const person of [ann, ben]) person.leave()
  }
}

async function twoPeople(address: Address): Promise<{ ann: Person; ben: Person; room: Room }> {
  const [ann, ben] = await Promise.all([Person.signUp(address, 'Ann'), Person.signUp(address, 'Ben')])
  const room = await ann.ask<Room>('POST', '/api/rooms', { name: `Garden ${Date.now()}`, kind: 'public' })
  await ann.enter(room)
  await ben.enter(room)
  return { ann, ben, room }
}

/** One of fixtures/demo.sql. */
async function signInAsDemo(address: Address, status: number): Promise<void> {
  const headers = { origin: `http://${address.host}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ email: 'anna@example.com', password: 'anna loves helm' })
  expect((await ask(address, '/api/session', { method: 'POST', headers, body })).status).toBe(status)
}

async function socketsPerPod(namespace: Namespace): Promise<(string | undefined)[]> {
  const pods = await namespace.pods('server')
  const metrics = pods.map(({ metadata }) => namespace.kubectl('get', '--raw', `/api/v1/namespaces/${namespace.name}/pods/${metadata.name}:9464/proxy/metrics`))
  return (await Promise.all(metrics)).map((text) => /^chat_sockets (\d+)$/m.exec(text)?.[1])
}

/** The first column of the first row. */
async function sql(namespace: Namespace, query: string): Promise<string> {
  return (await namespace.kubectl('exec', 'statefulset/postgres', '--', 'psql', '--no-psqlrc', '-U', 'chat', '-d', 'chat', '-At', '-c', query)).trim()
}

async function phaseOf(namespace: Namespace, pod: string): Promise<string> {
  return namespace.kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.phase}')
}

/** An image's layers, as its registry tells them, with their sizes in bytes. */
async function layersOf(ref: string): Promise<{ digest: string; size: number }[]> {
  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:]+)$/.exec(ref) ?? []
  const accept = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'].join(', ')
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
  return ((await response.json()) as { layers: { digest: string; size: number }[] }).layers
}
