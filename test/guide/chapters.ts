import sharp from 'sharp'
import { expect } from 'vitest'
import type { Account, Room } from '../../apps/server/src/contract.js'
import { until } from '../cluster/commands.js'
import type { Namespace } from '../cluster/namespace.js'
import { ask, Person, type Address } from '../cluster/people.js'

/** The state of the reader: the cluster after the last chapter. */
export interface Walk {
  namespace: Namespace
  address: Address
  /** The URL of a second environment, in another namespace. */
  elsewhere: Address
  /** The people who have signed up, by name. */
  people: Map<string, Person>
  /** Runs blocks of the chapter as printed: those that match the pattern, by default those that deploy. */
  follow(blocks?: RegExp): Promise<void>
  /** Changes a file of the checkout, and commits it. */
  change(file: string, edit: (text: string) => string): Promise<void>
  /** Reads a file that a command of the chapter has written. */
  read: (file: string) => string
  buildTests(): Promise<void>
  /** The image with the tests, after `buildTests`. */
  testsImage?: string
}

export interface Chapter {
  /** Its folder in docs/guide. */
  name: string
  /** What the page promises to the reader. */
  promise: string
  /** Throws if the promise is not true. */
  look: (walk: Walk) => Promise<void>
  /** The error of `look` in the state before the chapter. */
  lacks: RegExp
  /** Does the manual steps of the page when the chapter is skipped. */
  skip?: (walk: Walk) => Promise<unknown>
  /** Does the steps of the chapter, if they are more than the commands that deploy. */
  go?: (walk: Walk) => Promise<unknown>
  /** Does the steps with which the page cleans up. */
  leave?: (walk: Walk) => Promise<unknown>
}

/** In the order of the guide. Argo CD has a separate test: test/cluster/argo-cd.test.ts */
export const chapters: Chapter[] = [
  {
    name: '01-hello-world',
    promise: 'one process serves the HTML page through a forwarded port',
    lacks: /services "server" not found/,
    async look(walk) {
      expect(await insideAsk(walk, 'readyz')).toBe('ready\n')
      expect(await insideAsk(walk, '')).toContain('<div id="app">')
      expect(await containers(walk)).toEqual(['postgres', 'server'])
    },
  },
  {
    name: '02-local-build',
    promise: 'the image contains the changes of the reader',
    lacks: /to match .*second-version/,
    async look(walk) {
      const [stylesheet = ''] = /assets\/main\.\w+\.css/.exec(await insideAsk(walk, '')) ?? []
      expect(await insideAsk(walk, stylesheet)).toMatch(/^[^<]*\.second-version/)
    },
    async go(walk) {
      await walk.change(
        'apps/web/src/styles/base.css',
        (text) => `${text}\n.second-version { color: rebeccapurple; }\n`,
      )
      await walk.follow()
    },
  },
  {
    name: '03-ci',
    promise: 'images come from a registry that asks for credentials',
    lacks: /secrets "registry" not found/,
    async look({ namespace }) {
      const config = await namespace.kubectl('get', 'secret', 'registry', '-o', 'jsonpath={.data.\\.dockerconfigjson}')
      expect(Buffer.from(config, 'base64').toString()).toBe(dockerConfig)
      expect(
        await namespace.kubectl('get', 'serviceaccount', 'server', '-o', 'jsonpath={.imagePullSecrets[*].name}'),
      ).toBe('registry')
    },
  },
  {
    name: '04-deploy',
    promise: 'people open the chat by its host name, sign up and post messages',
    lacks: /404/,
    look: (walk) => peopleTalk(walk),
  },
  {
    name: '05-dependencies',
    promise: 'an image built after a change of the sources shares its packages with the previous image',
    lacks: /there is no other image/,
    async look(walk) {
      const refs = await walk.namespace.kubectl(
        'get',
        'replicasets',
        '-l',
        'app.kubernetes.io/name=server',
        '--sort-by=.metadata.creationTimestamp',
        '-o',
        'jsonpath={.items[*].spec.template.spec.containers[0].image}',
      )
      const [before = '', now = ''] = [...new Set(refs.split(' '))].slice(-2)
      if (!(await insideAsk(walk, '')).includes(newWords)) throw new Error('there is no other image')
      const [old, current] = await Promise.all([before, now].map(layersOf))
      const fresh = current!.filter(({ digest }) => old!.every((layer) => layer.digest !== digest))
      expect(fresh.length).toBeGreaterThan(0)
      // The packages are about ten times larger.
      expect(fresh.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(3_000_000)
    },
    async go(walk) {
      await walk.change('apps/server/src/http/http.ts', (text) => text.replace('Chat needs JavaScript.', newWords))
      await walk.follow()
    },
  },
  {
    name: '06-assets',
    promise: 'an nginx serves the compressed assets and the configuration of the environment',
    lacks: /to deeply equal \[ 'postgres', 'server', 'web' \]/,
    async look(walk) {
      expect(await containers(walk)).toEqual(['postgres', 'server', 'web'])
      const [, script = ''] =
        /src="(\/assets\/main\.\w+\.js)"/.exec((await ask(walk.address, '/')).body.toString()) ?? []
      const { headers } = await ask(walk.address, script, { headers: { 'accept-encoding': 'br' } })
      expect(headers).toMatchObject({
        'content-encoding': 'br',
        'cache-control': expect.stringContaining('immutable') as string,
      })
      expect((await ask(walk.address, '/assets/config.json')).json()).toEqual({ domain: '', loginUrl: '/sign-in' })
    },
  },
  {
    name: '07-files',
    promise: 'an avatar is an object in the bucket',
    lacks: /statefulsets.apps "s3" not found/,
    async look({ namespace, address }) {
      const ann = await Person.signUp(address, 'Ann')
      const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3366cc' } })
        .png()
        .toBuffer()
      const { avatarUrl } = await ann.ask<Account>('PUT', '/api/me/avatar', picture)
      expect((await ask(address, avatarUrl ?? '')).headers['content-type']).toBe('image/webp')
      const key = avatarUrl?.split('/').at(-1) ?? ''
      expect(
        await namespace.kubectl('exec', 'statefulset/s3', '--', 'find', '/data/avatars/avatars', '-name', key),
      ).toContain(key)
    },
  },
  {
    name: '08-e-mail',
    promise: 'Mailgun sends the welcome mail',
    lacks: /expected 200 to be 404/,
    async look({ address, read }) {
      const ann = await Person.signUp(address, 'Ann')
      // Without Mailgun, the mailbox is an HTML page.
      expect((await ask(address, '/mailbox', { headers: ann.headers })).status).toBe(404)
      await until('the mail at the stand-in', () =>
        expect(read('mailgun.txt').split(`to: '${ann.email}'`)).toHaveLength(2),
      )
    },
  },
  {
    name: '09-redis',
    promise: 'an event on one replica of the server reaches another replica at once',
    lacks: /from the database/,
    async look(walk) {
      const { namespace, address } = walk
      await namespace.kubectl('scale', 'deployment/server', '--replicas=2')
      await namespace.ready('server', 2)
      const { ann, ben } = await twoPeople(walk)
      try {
        await ann.connect()
        await until('Ben to be on another replica than Ann', async () => {
          ben.leave()
          await ask(address, '/version') // an ingress that alternates between two replicas would send him to the same one each time
          await ben.connect()
          expect(await socketsPerPod(namespace)).toEqual(['1', '1'])
        })
        ben.typists.clear()
        await ann.type()
        const { id } = await ann.post('Are you there, Ben?')
        await until('the message on Ben’s screen', () => expect(ben.screen.map((message) => message.id)).toContain(id))
        // A replica finds messages in the database, but learns only from a hint that a person is typing.
        if (!ben.typists.has(ann.account.id)) throw new Error('The message came from the database, not from a hint.')
      } finally {
        for (const person of [ann, ben]) person.leave()
      }
    },
  },
  {
    name: '10-database',
    promise: 'messages survive the loss of the database pod',
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
        await until('the history', async () =>
          expect((await ann.history()).map((message) => message.seq)).toContain(seq),
        )
        await ann.post('It did.')
      } finally {
        ann.leave()
      }
    },
    // A StatefulSet cannot change its volume, and the migrations must run again in the new database.
    skip: ({ namespace }) =>
      namespace.kubectl(
        'delete',
        'statefulsets,jobs',
        '--selector',
        'app.kubernetes.io/name in (postgres, migrations)',
      ),
  },
  {
    name: '11-fixtures',
    promise: 'the demo accounts exist',
    lacks: /401/,
    look: ({ address }) => signInAsDemo(address, 201),
    // Without this command, only a first deploy creates them.
    go: (walk) => walk.follow(/werf converge|kubectl config|cli\.js fixtures/),
  },
  {
    name: '12-tests',
    promise: 'the linters run in the cluster, in the image with the tests',
    lacks: /eslint: not found/,
    async look({ namespace, testsImage }) {
      const image =
        testsImage ??
        (await namespace.kubectl(
          'get',
          'deployment',
          'server',
          '-o',
          'jsonpath={.spec.template.spec.containers[0].image}',
        ))
      const container = {
        name: 'lint',
        image,
        command: ['npm', 'run', 'lint'],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      }
      const securityContext = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
      const overrides = JSON.stringify({ spec: { securityContext, containers: [container] } })
      await namespace.kubectl('run', 'lint', '--image', image, '--restart=Never', '--overrides', overrides)
      try {
        await until(
          'the linters to finish',
          async () => expect(await phaseOf(namespace, 'lint')).toMatch(/Succeeded|Failed/),
          600_000,
        )
        if ((await phaseOf(namespace, 'lint')) === 'Failed') throw new Error(await namespace.logsOf('pod/lint'))
      } finally {
        await namespace.kubectl('delete', 'pod', 'lint')
      }
    },
    async go(walk) {
      await walk.follow()
      await walk.buildTests()
    },
  },
  {
    name: '13-applications',
    promise: 'events wait in RabbitMQ for a worker, even if the server stops',
    lacks: /"worker" not found/,
    async look(walk) {
      const { namespace, address } = walk
      const { ann, ben, room } = await twoPeople(walk)
      const greetings = async () => (await ann.history()).filter(({ body }) => body === 'Welcome, Cid!')
      await namespace.kubectl('scale', 'deployment/worker', '--replicas=0')
      for (const pod of await namespace.pods('worker'))
        await namespace.kubectl('wait', '--for=delete', `pod/${pod.metadata.name}`, '--timeout=120s')
      const cid = await Person.signUp(address, 'Cid')
      await cid.enter(room)
      expect(await greetings()).toEqual([])
      await namespace.kubectl('scale', 'deployment/worker', '--replicas=1')
      await until('the greeting', async () => expect(await greetings()).toHaveLength(1))
      // RabbitMQ updates its counts every few seconds.
      const queues = () =>
        namespace.kubectl(
          'exec',
          'statefulset/rabbitmq',
          '--',
          'rabbitmqctl',
          '--quiet',
          'list_queues',
          'name',
          'consumers',
        )
      await until('a consumer', async () => expect(await queues()).toMatch(/^chat.greet-newcomer\t[1-9]/m))
      for (const person of [ann, ben, cid]) person.leave()
    },
  },
  {
    name: '14-environments',
    promise: 'a branch has its own environment, with its own accounts and with fixtures from the start',
    lacks: /expected 404/,
    async look({ address, elsewhere }) {
      expect((await ask(elsewhere, '/')).status).toBe(200)
      await until('the demo accounts', () => signInAsDemo(elsewhere, 201))
      const [here, there] = await Promise.all([Person.signUp(address, 'Here'), Person.signUp(elsewhere, 'There')])
      for (const [{ headers }, where] of [
        [here, elsewhere],
        [there, address],
      ] as const) {
        expect((await ask(where, '/api/me', { headers })).status).toBe(401)
      }
    },
    go: (walk) => walk.follow(/werf converge/),
    leave: (walk) => walk.follow(/werf dismiss --release/),
  },
  {
    name: '16-scheduled-job',
    promise: 'a nightly task deletes expired rows',
    lacks: /cronjobs.batch "upkeep" not found/,
    async look({ namespace }) {
      await sql(
        namespace,
        `insert into sessions values ('expired', '{}', now() - interval '1 day') on conflict do nothing`,
      )
      await namespace.kubectl('create', 'job', 'tonight', '--from=cronjob/upkeep')
      await namespace.kubectl('wait', '--for=condition=complete', 'job/tonight', '--timeout=180s')
      expect(await sql(namespace, `select count(*) from sessions where id = 'expired'`)).toBe('0')
    },
  },
]

/** The configuration file that `docker login` writes. */
export const dockerConfig = JSON.stringify({ auths: { 'registry.example.com': { auth: 'cmVhZGVyOnBhc3N3b3Jk' } } })
/** The text for browsers without JavaScript, after the change of the reader. */
const newWords = 'This chat needs JavaScript.'

/** Sends one request directly to the server, as through `kubectl port-forward`, without an Ingress. */
function insideAsk({ namespace }: Walk, path: string): Promise<string> {
  return namespace.kubectl('get', '--raw', `/api/v1/namespaces/${namespace.name}/services/server:http/proxy/${path}`)
}

/** The containers of all pods, except those of Jobs. */
async function containers({ namespace }: Walk): Promise<string[]> {
  const names = await namespace.kubectl(
    'get',
    'deployments,statefulsets',
    '-o',
    'jsonpath={.items[*].spec.template.spec.containers[*].name}',
  )
  return names.split(' ').sort()
}

/** Two people open the chat and sign up; one receives the message of the other. */
export async function peopleTalk(walk: Walk): Promise<void> {
  expect((await ask(walk.address, '/')).status).toBe(200)
  const { ann, ben } = await twoPeople(walk)
  try {
    await Promise.all([ann.connect(), ben.connect()])
    await ann.post('Hello Ben!')
    await until('the message on Ben’s screen', () => expect(ben.screen.map(({ body }) => body)).toContain('Hello Ben!'))
  } finally {
    for (const person of [ann, ben]) person.leave()
  }
}

async function twoPeople(walk: Walk): Promise<{ ann: Person; ben: Person; room: Room }> {
  const [ann, ben] = await Promise.all([personIn(walk, 'Ann'), personIn(walk, 'Ben')])
  const room = await ann.ask<Room>('POST', '/api/rooms', { name: `Garden ${Date.now()}`, kind: 'public' })
  await ann.enter(room)
  await ben.enter(room)
  return { ann, ben, room }
}

/** The person who signed up in an earlier chapter, if the session is still valid. The limit of new accounts per IP address requires this. */
async function personIn({ address, people }: Walk, name: string): Promise<Person> {
  const known = people.get(name)
  if (known !== undefined && (await ask(address, '/api/me', { headers: known.headers })).status === 200) return known
  const person = await Person.signUp(address, name)
  people.set(name, person)
  return person
}

/** Signs in with a demo account of fixtures/demo.sql. */
async function signInAsDemo(address: Address, status: number): Promise<void> {
  const headers = { origin: `http://${address.host}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ email: 'anna@example.com', password: 'anna loves helm' })
  expect((await ask(address, '/api/session', { method: 'POST', headers, body })).status).toBe(status)
}

async function socketsPerPod(namespace: Namespace): Promise<(string | undefined)[]> {
  const pods = await namespace.pods('server')
  const metrics = pods.map(({ metadata }) =>
    namespace.kubectl('get', '--raw', `/api/v1/namespaces/${namespace.name}/pods/${metadata.name}:9464/proxy/metrics`),
  )
  return (await Promise.all(metrics)).map((text) => /^chat_sockets (\d+)$/m.exec(text)?.[1])
}

/** Runs a query, and returns the first column of the first row. */
async function sql(namespace: Namespace, query: string): Promise<string> {
  return (
    await namespace.kubectl(
      'exec',
      'statefulset/postgres',
      '--',
      'psql',
      '--no-psqlrc',
      '-U',
      'chat',
      '-d',
      'chat',
      '-At',
      '-c',
      query,
    )
  ).trim()
}

async function phaseOf(namespace: Namespace, pod: string): Promise<string> {
  return namespace.kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.phase}')
}

/** The layers of an image and their sizes in bytes, from the registry. */
async function layersOf(ref: string): Promise<{ digest: string; size: number }[]> {
  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:]+)$/.exec(ref) ?? []
  const accept = [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ].join(', ')
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
  return ((await response.json()) as { layers: { digest: string; size: number }[] }).layers
}
