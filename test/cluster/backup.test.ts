import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Account, Message, Room } from '../../apps/server/src/contract.js'
import { blocksIn } from '../../tools/test/markdown.js'
import { root, run, until } from './commands.js'
import { deployers, type Deployer } from './deployers.js'
import { createNamespace, type Namespace } from './namespace.js'
import { ask, Person, type Address } from './people.js'
import { readSurroundings } from './surroundings.js'
import { makeVersions, type Version } from './versions.js'

const surroundings = readSurroundings(process.env)
const page = readFileSync(join(root, 'docs/production.md'), 'utf8')
const password = 'correct horse battery'

/** Runs each command for backups in docs/production.md unchanged. Each test needs the tests before it. */
describe('the chat, backed up and restored as docs/production.md tells', () => {
  let scratch: string
  let namespace: Namespace
  let deployer: Deployer
  let address: Address
  let version: Version
  let ann: Person
  let ben: Person
  let carol: Person
  let room: Room
  let kept: { messages: Message[]; rooms: unknown; picture: Buffer; secrets: string }

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'chat-cluster-'))
    mkdirSync(join(scratch, 'backup'))
    namespace = await createNamespace(scratch)
    address = { host: surroundings.hostIn(namespace.name), ingress: surroundings.ingress }
    version = (await makeVersions(scratch)).first
    deployer = deployers[0]!.create({ namespace, surroundings, scratch, values: [`global.ci_url=${address.host}`] })
    // The commands of the page use the current namespace of kubectl.
    const { stdout: context } = await run('kubectl', ['config', 'view', '--raw', '--minify', '--flatten'])
    writeFileSync(join(scratch, 'kubeconfig'), context, { mode: 0o600 })
    await run('kubectl', ['config', 'set-context', '--current', '--namespace', namespace.name], { env: ownContext() })
    await deployer.build(version)
  }, 1_800_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') process.stdout.write(`\n${await namespace.describe().catch(String)}\n`)
  })
  afterAll(async () => {
    for (const person of [ann, ben]) person?.leave()
    await namespace?.remove()
  })

  it('has people, rooms, messages and a picture, and a backup of them that can be read', async () => {
    await deployer.deploy(version)
    ;[ann, ben] = [await signUp('Ann'), await signUp('Ben')]
    room = await ann.ask<Room>('POST', '/api/rooms', { name: 'Garden', kind: 'private' })
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.email })
    for (const person of [ann, ben]) await person.enter(room).then(() => person.connect())
    for (const words of ['The roses', 'need water', '– and ☂ for us']) {
      await ann.post(words)
      await ben.post(`“${words}”`)
    }
    await greeted('Ben')
    ben.account = await ben.ask<Account>('PUT', '/api/me/avatar', await pictureIn('#3366cc'))
    kept = {
      messages: await ann.history(),
      rooms: await roomsOf(ben),
      picture: await pictureOf(ben),
      secrets: await secrets(),
    }
    expect(kept.messages).toHaveLength(7)

    await follow('Back up')
    expect(await follow('Check the backup')).toMatch(/^avatars\/avatars\/[\w-]+\.webp$/m)
  })

  it('loses all data, also what was written after the backup', async () => {
    await ann.post('This will be forgotten.')
    carol = await signUp('Carol')
    // It replaces the first picture, which is removed from the bucket.
    await ben.ask('PUT', '/api/me/avatar', await pictureIn('#cc3366'))
    expect((await ask(address, ben.account.avatarUrl ?? '')).status).toBe(404)

    await deployer.remove()
    await namespace.kubectl('delete', 'persistentvolumeclaims,secrets', '--all')
    const own = /^(configmap\/(kube-root-ca\.crt|werf-synchronization)|serviceaccount\/default)$/
    await until('nothing to be left', async () =>
      expect((await namespace.everything()).filter((name) => !own.test(name))).toEqual([]),
    )
  })

  it('is empty after a new installation with the old passwords', async () => {
    await follow('A lost namespace')
    await deployer.deploy(version)
    expect(await secrets()).toBe(kept.secrets)
    await until('nobody to know Ann', () => expect(signIn(ann)).rejects.toThrow('401'))
  })

  it('has all data of the backup after the restore: accounts with passwords, messages with numbers, pictures', async () => {
    await follow('The data')
    expect(await follow('Up again')).toContain('Everything works.')
    await hasWhatWasKept()
    await expect(signIn(carol)).rejects.toThrow('401')
  })

  it('is restored while people talk: they are signed out, and numbers go on after the last one of the backup', async () => {
    const news = await Promise.all([ann, ben].map((person) => person.post('This will be forgotten as well.')))
    expect(Math.max(...news.map(({ seq }) => seq))).toBe(10)
    await follow('The data')
    await follow('Up again')
    await until('Ann to be signed out', () => expect(ann.ask('GET', '/api/me')).rejects.toThrow('401'))
    await hasWhatWasKept()
  })

  it('repeats the events that RabbitMQ has lost, and none twice', async () => {
    await namespace.kubectl('scale', 'deployment/worker', '--replicas=0')
    await until('the worker to be gone', async () => expect(await namespace.pods('worker')).toEqual([]))
    const dan = await signUp('Dan')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: dan.email })
    expect(await sql('delete from outbox returning type')).toContain('member.joined')
    await namespace.kubectl('scale', 'deployment/worker', '--replicas=1')
    await namespace.ready('worker', 1)
    await dan.enter(room)
    expect((await dan.history()).map(({ body }) => body)).not.toContain('Welcome, Dan!')
    expect(await welcomesTo(dan)).toHaveLength(0)

    // The events of Eve are handled after all events of Dan.
    for (let time = 1; time <= 2; time += 1) {
      await follow('Events that RabbitMQ has lost')
      await until('the outbox to be empty', async () => expect(await sql('select count(*) from outbox')).toBe('0\n'))
    }
    const eve = await signUp('Eve')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: eve.email })
    await greeted('Eve')
    await until('the mail to Eve', async () => expect(await welcomesTo(eve)).toHaveLength(1))
    expect((await dan.history()).filter(({ body }) => body === 'Welcome, Dan!')).toHaveLength(1)
    expect(await welcomesTo(dan)).toHaveLength(1)
  })

  /** Runs the commands below a heading of the page, in the folder of the backup, up to the first that fails. */
  async function follow(heading: string): Promise<string> {
    const section = page.split(/^##+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
    const commands = blocksIn(section).filter(({ language }) => language === 'bash')
    expect(commands.length, heading).toBeGreaterThan(0)
    const script = commands.map(({ text }) => text).join('\n')
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: join(scratch, 'backup'),
      env: ownContext(),
      timeoutMs: 240_000,
    })
    return stdout
  }

  function ownContext(): NodeJS.ProcessEnv {
    return { ...process.env, KUBECONFIG: join(scratch, 'kubeconfig') }
  }

  /** Ann and Ben sign in with their passwords and find the data of the backup. Then Ann writes again. */
  async function hasWhatWasKept(): Promise<void> {
    for (const person of [ann, ben]) {
      person.leave()
      // The ingress controller may need a moment to find the new servers.
      await until(`${person.name} to be known`, () => signIn(person))
      await person.enter(room)
      await person.connect()
    }
    expect(await ann.history()).toEqual(kept.messages)
    expect(ben.screen).toEqual(kept.messages)
    expect(await roomsOf(ben)).toEqual(kept.rooms)
    expect((await pictureOf(ben)).equals(kept.picture)).toBe(true)
    expect(await ann.post('Here we are again.')).toMatchObject({ seq: 8 })
    await until('the message on Ben’s screen', () =>
      expect(ben.screen.at(-1)).toMatchObject({ seq: 8, body: 'Here we are again.' }),
    )
  }

  async function signUp(name: string): Promise<Person> {
    const person = new Person(address, name)
    person.account = await person.ask<Account>('POST', '/api/accounts', { name, email: person.email, password })
    return person
  }

  async function signIn(person: Person): Promise<void> {
    person.account = await person.ask<Account>('POST', '/api/session', { email: person.email, password })
  }

  async function greeted(name: string): Promise<void> {
    await until('the greeting', async () =>
      expect((await ann.history()).map(({ body }) => body)).toContain(`Welcome, ${name}!`),
    )
  }

  async function welcomesTo(person: Person): Promise<string[]> {
    return (await person.ask<string>('GET', '/mailbox')).match(/Welcome to the chat/g) ?? []
  }

  async function roomsOf(person: Person): Promise<unknown> {
    return (await person.ask<{ rooms: Room[] }>('GET', '/api/rooms')).rooms.map(({ id, name, kind, joined }) => ({
      id,
      name,
      kind,
      joined,
    }))
  }

  function pictureIn(background: string): Promise<Buffer> {
    return sharp({ create: { width: 300, height: 200, channels: 3, background } })
      .png()
      .toBuffer()
  }

  async function pictureOf({ account }: Person): Promise<Buffer> {
    const { status, headers, body } = await ask(address, account.avatarUrl ?? '')
    expect([status, headers['content-type']]).toEqual([200, 'image/webp'])
    return body
  }

  const secrets = () => namespace.kubectl('get', 'secret', 'app-secrets', '-o', 'jsonpath={.data}')
  const sql = (statement: string) =>
    namespace.kubectl('exec', 'statefulset/postgres', '--', 'psql', '-U', 'chat', '-qAtc', statement)
})
