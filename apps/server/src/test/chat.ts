import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { io, type Socket } from 'socket.io-client'
import { createApp, type App, type Replacements } from '../app.js'
import { readConfig } from '../config.js'
import {
  unpackPosted,
  type Account,
  type ClientToServerEvents,
  type ErrorBody,
  type Message,
  type Page,
  type Posted,
  type PostedNews,
  type Room,
  type RoomMessages,
  type ServerToClientEvents,
} from '../contract.js'
import { freshDatabase, quiet, type FreshDatabase } from './database.js'
import { freePort } from './free-port.js'

export type TestSocket = Socket<ServerToClientEvents, ClientToServerEvents>

export interface Chat {
  app: App
  url: string
  database: FreshDatabase
  /** The URL of Redis, if the chat uses one. */
  redis: string | undefined
  /** Starts another replica with the same backing services. */
  replica(env?: NodeJS.ProcessEnv): Promise<App>
  stop(): Promise<void>
}

/** The environment of a chat in production that uses only the built-in adapters. */
export async function builtInForProduction(): Promise<NodeJS.ProcessEnv> {
  const port = String(await freePort())
  const names = ['SESSION_REDIS', 'S3_ENDPOINT', 'S3_PORT', 'S3_SSL', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'S3_BUCKET']
  const none = Object.fromEntries(names.map((name) => [name, '']))
  const builtIn = { ...none, SESSIONS: 'postgres', BUS: 'in-process', STORAGE: 'disk', MAILER: 'mailbox' }
  return {
    ...builtIn,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: port,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    DRAIN_MS: '0',
  }
}

/** Starts a chat on a free port. It uses the real services that are in the environment, otherwise the built-in adapters. */
export async function startChat(env: NodeJS.ProcessEnv = {}, replacements: Replacements = {}): Promise<Chat> {
  const database = await freshDatabase()
  const directory = await mkdtemp(join(tmpdir(), 'chat-test-'))
  const { TEST_SESSION_REDIS, TEST_S3_ENDPOINT, TEST_S3_PORT, TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY } = process.env
  const services: NodeJS.ProcessEnv = {
    DATABASE_URL: database.url,
    COOKIE_SECRET: 'a secret for tests only',
    DATA_DIR: directory,
    PORT: '0',
    METRICS_PORT: '0',
    LIMIT_SIGN_IN: '1000/60',
    LIMIT_SIGN_UP: '1000/60',
    LIMIT_GUESS: '1000/60',
    LIMIT_INVITE: '1000/60',
    LIMIT_POST: '10000/10',
    LIMIT_ROOM: '1000/60',
    ...(TEST_SESSION_REDIS && { SESSION_REDIS: await emptyRedis(TEST_SESSION_REDIS) }),
    ...(TEST_S3_ENDPOINT && {
      S3_ENDPOINT: TEST_S3_ENDPOINT,
      S3_PORT: TEST_S3_PORT,
      S3_SSL: 'false',
      S3_ACCESS_KEY: TEST_S3_ACCESS_KEY,
      S3_SECRET_KEY: TEST_S3_SECRET_KEY,
      S3_BUCKET: `test-${randomUUID()}`,
    }),
    ...env,
  }
  const apps: App[] = []
  const start = async (more: NodeJS.ProcessEnv = {}) => {
    const app = createApp(readConfig({ ...services, ...more }), { log: quiet, ...replacements })
    await app.start()
    apps.push(app)
    return app
  }
  const app = await start()
  return {
    app,
    url: app.url,
    database,
    redis: services.SESSION_REDIS,
    replica: start,
    async stop() {
      await Promise.all(apps.map((each) => each.stop()))
      await database.close()
      await rm(directory, { recursive: true })
    },
  }
}

/** Empties the numbered Redis database of this test process, so that test files that run at once do not share their limits. */
async function emptyRedis(server: string): Promise<string> {
  const url = new URL(server)
  url.pathname = `/${Number(process.env.VITEST_POOL_ID ?? 0) % 16}`
  const client = createClient({ url: url.href })
  await client.connect()
  await client.flushDb()
  client.destroy()
  return url.href
}

export interface Answer<Body> {
  status: number
  body: Body
  headers: Headers
}

/** A person with a browser, which keeps the cookie and sends the origin. */
export class Person {
  cookie = ''
  account!: Account
  readonly sockets: TestSocket[] = []

  constructor(readonly url: string) {}

  async ask<Body = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        origin: this.url,
        cookie: this.cookie,
        ...(body !== undefined && !(body instanceof Uint8Array) && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && {
        body:
          body instanceof Uint8Array ? new Uint8Array(body) : typeof body === 'string' ? body : JSON.stringify(body),
      }),
      redirect: 'manual',
    })
    const [cookie] = response.headers.getSetCookie()
    if (cookie !== undefined) this.cookie = cookie.split(';')[0] ?? ''
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return { status: response.status, body: (isJson ? JSON.parse(text) : text) as Body, headers: response.headers }
  }

  /** Connects and waits until connected. */
  async connect(url = this.url, headers: Record<string, string> = {}): Promise<TestSocket> {
    const socket: TestSocket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      extraHeaders: { cookie: this.cookie, origin: this.url, ...headers },
    })
    this.sockets.push(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    return socket
  }

  /** Posts a message through a socket and returns the acknowledgement. */
  post(
    socket: TestSocket,
    roomId: string,
    body: string,
    more: { id?: string; replyTo?: number } = {},
  ): Promise<{ data: Posted } | { error: ErrorBody }> {
    return socket.emitWithAck('message:post', { roomId, id: randomUUID(), body, ...more })
  }

  /** Sends any event with any payload, also those that the types forbid. */
  emit(socket: TestSocket, event: string, payload: unknown): Promise<unknown> {
    return socket.emitWithAck(event as 'message:post', payload as never)
  }

  async openRoom(kind: 'public' | 'private' = 'public', name = `Room ${randomUUID().slice(0, 8)}`): Promise<Room> {
    return (await this.ask<Room>('POST', '/api/rooms', { name, kind })).body
  }

  join(roomId: string) {
    return this.ask<Room>('PUT', `/api/rooms/${roomId}/membership`)
  }

  async history(roomId: string): Promise<Message[]> {
    return (await this.ask<Page>('GET', `/api/rooms/${roomId}/messages?after=0&limit=200`)).body.messages
  }

  leave() {
    for (const socket of this.sockets) socket.disconnect()
  }
}

export const password = 'correct horse battery'

/** A new person, who is signed in and in no room: they have left the room that everybody joins at sign-up. */
export async function newPerson(url: string, name?: string): Promise<Person> {
  const person = await newcomer(url, name)
  for (const { id } of (await person.ask<{ rooms: Room[] }>('GET', '/api/rooms')).body.rooms)
    await person.ask('DELETE', `/api/rooms/${id}/membership`)
  return person
}

/** A person who has just signed up. */
export async function newcomer(url: string, name = 'Ann'): Promise<Person> {
  const person = new Person(url)
  const email = `${name.toLowerCase().replaceAll(/[^a-z]/g, '')}-${randomUUID().slice(0, 8)}@example.com`
  const { status, body } = await person.ask<Account>('POST', '/api/accounts', { name, email, password })
  if (status !== 201) throw new Error(`could not sign up: ${status} ${JSON.stringify(body)}`)
  person.account = body
  return person
}

type Received<Event extends keyof ServerToClientEvents> = Parameters<ServerToClientEvents[Event]>[0]
/** New messages as in the history, all other events as they are received. */
type Unpacked<Event extends keyof ServerToClientEvents> = Event extends 'messages:posted'
  ? RoomMessages
  : Received<Event>

/** The next event of this name that `matches`. Call it before the event is caused. */
export function nextNews<Event extends keyof ServerToClientEvents>(
  socket: TestSocket,
  event: Event,
  matches: (news: Unpacked<Event>) => boolean = () => true,
): Promise<Unpacked<Event>> {
  return new Promise((resolve) => {
    const listener = (received: Received<Event>) => {
      const news = (event === 'messages:posted' ? unpackPosted(received as PostedNews) : received) as Unpacked<Event>
      if (!matches(news)) return
      socket.off(event, listener as never)
      resolve(news)
    }
    socket.on(event, listener as never)
  })
}
