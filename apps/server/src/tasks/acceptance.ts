import { randomBytes, randomUUID } from 'node:crypto'
import sharp from 'sharp'
import { io, type Socket } from 'socket.io-client'
import {
  unpackPosted,
  type Account,
  type ClientToServerEvents,
  type Message,
  type Page,
  type Room,
  type ServerToClientEvents,
} from '../contract.js'
import { within } from '../platform/deadline.js'
import { Unavailable } from '../platform/errors.js'
import { wayToTheChat, withDatabase, type Task } from './task.js'

const patienceMs = 30_000

/**
 * Tests the whole chat through PUBLIC_URL, as two people use it: sign up, picture, room, greeting, message. It uses a
 * private room and deletes everything at the end, so that it can run against production.
 */
export const acceptance: Task = async ({ config, log }) => {
  const way = wayToTheChat(config)
  const ann = new Visitor(way)
  const ben = new Visitor(way)
  try {
    await ann.signUp('Acceptance Ann')
    await ben.signUp('Acceptance Ben')
    log.info('two people have signed up')

    const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3366cc' } })
      .png()
      .toBuffer()
    const { avatarUrl } = await ann.ask<Account>('PUT', '/api/me/avatar', picture)
    const fetched = await fetch(new URL(avatarUrl ?? '', way.url))
    if (fetched.headers.get('content-type') !== 'image/webp')
      throw new Error(`The picture at ${avatarUrl} was served as ${fetched.headers.get('content-type')}`)
    log.info('a picture was stored and served')

    const room = await ann.ask<Room>('POST', '/api/rooms', {
      name: `Acceptance ${randomUUID().slice(0, 8)}`,
      kind: 'private',
    })
    const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
    const greeting = newsOf(annSocket, ({ author }) => author.name === 'Greeter')
    await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.email })
    await within(patienceMs, 'The greeting of a newcomer', greeting)
    log.info('the newcomer was greeted')

    const id = randomUUID()
    const seen = newsOf(benSocket, (message) => message.id === id)
    const reply = await within(
      patienceMs,
      'Posting',
      annSocket.emitWithAck('message:post', { roomId: room.id, id, body: 'Does this arrive?' }),
    )
    if ('error' in reply) throw new Error(`Posting was refused: ${reply.error.message}`)
    await within(patienceMs, 'Delivering the message to the other person', seen)
    const { messages } = await ben.ask<Page>('GET', `/api/rooms/${room.id}/messages?after=0`)
    if (messages.filter((message) => message.id === id).length !== 1)
      throw new Error('The history does not contain the message exactly once')
    log.info('a message arrived live and is in the history')
    return 0
  } finally {
    await Promise.all([ann.leave(), ben.leave()])
    await withDatabase(config, async (db) => {
      const emails = [ann.email, ben.email]
      await db.query('delete from rooms where created_by in (select id from accounts where email = any($1))', [emails])
      await db.query('delete from accounts where email = any($1)', [emails])
    })
  }
}

type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>

function newsOf(socket: ChatSocket, matches: (message: Message) => boolean): Promise<void> {
  return new Promise((resolve) =>
    socket.on('messages:posted', (news) => unpackPosted(news).messages.some(matches) && resolve()),
  )
}

class Visitor {
  readonly email = `acceptance-${randomUUID()}@example.com`
  private cookie = ''
  private socket: ChatSocket | undefined

  constructor(private readonly way: ReturnType<typeof wayToTheChat>) {}

  async signUp(name: string): Promise<void> {
    await this.ask('POST', '/api/accounts', {
      name,
      email: this.email,
      password: randomBytes(24).toString('base64url'),
    })
  }

  async ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const isPicture = body instanceof Uint8Array
    const response = await fetch(this.way.url + path, {
      method,
      headers: {
        ...this.way.headers,
        cookie: this.cookie,
        'content-type': isPicture ? 'image/png' : 'application/json',
      },
      ...(body !== undefined && { body: isPicture ? new Uint8Array(body) : JSON.stringify(body) }),
      signal: AbortSignal.timeout(patienceMs),
    }).catch((error: unknown) => {
      throw new Unavailable(`The chat at ${this.way.url} is not available`, error)
    })
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`)
    this.cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? this.cookie
    return (response.status === 204 ? undefined : await response.json()) as Answer
  }

  connect(): Promise<ChatSocket> {
    const socket: ChatSocket = io(this.way.url, {
      transports: ['websocket'],
      extraHeaders: { ...this.way.headers, cookie: this.cookie },
    })
    this.socket = socket
    const connected = new Promise<ChatSocket>((resolve, reject) => {
      socket.once('connect', () => resolve(socket))
      socket.once('connect_error', reject)
    })
    return within(patienceMs, 'Connecting a socket', connected)
  }

  /** Leaves all rooms, so that their members do not see this visitor any more, and disconnects. */
  async leave(): Promise<void> {
    const { rooms } = await this.ask<{ rooms: Room[] }>('GET', '/api/rooms').catch(() => ({ rooms: [] }))
    for (const { id } of rooms) await this.ask('DELETE', `/api/rooms/${id}/membership`).catch(() => undefined)
    this.socket?.disconnect()
  }
}
