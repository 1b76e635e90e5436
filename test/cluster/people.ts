import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'
import {
  unpackPosted,
  type Account,
  type ClientToServerEvents,
  type ErrorBody,
  type Message,
  type Page,
  type Posted,
  type Room,
  type ServerToClientEvents,
} from '../../apps/server/src/contract.js'
import { until } from './commands.js'

/** The chat as seen from outside: a host name, and the address of the ingress controller. */
export interface Address {
  host: string
  ingress: string
}

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  body: Buffer
  /** The body as JSON. */
  json: <Body>() => Body
}

/** One request on a connection of its own. */
export async function ask(
  { host, ingress }: Address,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: http.OutgoingHttpHeaders; body?: string | Uint8Array } = {},
): Promise<Answer> {
  const request = http.request(`http://${ingress}${path}`, {
    method,
    agent: false,
    headers: { ...headers, host },
    signal: AbortSignal.timeout(60_000),
  })
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  request.end(body)
  const [response] = await answered
  const received = await buffer(response)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: received,
    json: <Body>() => JSON.parse(received.toString()) as Body,
  }
}

type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>

/** A client that sends messages and shows a room as docs/protocol.md describes: it loses no message and shows none twice. */
export class Person {
  readonly email = `person-${randomUUID()}@example.com`
  account!: Account
  /** The messages of the open room, as on the screen. */
  readonly screen: Message[] = []
  /** Accounts that were seen typing. These events may be lost. */
  readonly typists = new Set<string>()
  /** Errors that came back instead of an acknowledgement. */
  readonly refusals: ErrorBody[] = []
  private cookie = ''
  private room: Room | undefined
  private socket: ChatSocket | undefined
  private fetching = false

  constructor(
    readonly address: Address,
    readonly name: string,
  ) {}

  static async signUp(address: Address, name: string): Promise<Person> {
    const person = new Person(address, name)
    person.account = await person.ask<Account>('POST', '/api/accounts', {
      name,
      email: person.email,
      password: randomUUID(),
    })
    return person
  }

  /** The headers of a browser: the session cookie and the origin. */
  get headers(): http.OutgoingHttpHeaders {
    return { origin: `http://${this.address.host}`, cookie: this.cookie }
  }

  /** @throws when the status is not 2xx. */
  async ask<Body>(method: string, path: string, body?: object): Promise<Body> {
    const isPicture = body instanceof Uint8Array
    const {
      status,
      headers,
      json,
      body: text,
    } = await ask(this.address, path, {
      method,
      headers: { ...this.headers, 'content-type': isPicture ? 'image/png' : 'application/json' },
      ...(body !== undefined && { body: isPicture ? body : JSON.stringify(body) }),
    })
    this.cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? this.cookie
    if (status < 200 || status > 299)
      throw new Error(`${method} ${path} was answered ${status}: ${text.toString().slice(0, 500)}`)
    return (headers['content-type']?.includes('json') ? json<Body>() : text.toString()) as Body
  }

  /** Opens a room and loads it from its first message. */
  async enter(room: Room): Promise<void> {
    this.screen.length = 0
    this.room = await this.ask<Room>('PUT', `/api/rooms/${room.id}/membership`)
    await this.catchUp()
  }

  /** Connects, and connects again when the connection ends. */
  async connect(): Promise<void> {
    const { host, ingress } = this.address
    const socket: ChatSocket = io(`http://${ingress}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 200,
      reconnectionDelayMax: 2_000,
      extraHeaders: { host, cookie: this.cookie, origin: `http://${host}` },
    })
    this.socket = socket
    socket.on('connect', () => void this.catchUp())
    // A server that stops disconnects its clients, and a server without Redis refuses them. After both the library does not reconnect.
    socket.on('disconnect', (reason) => reason === 'io server disconnect' && socket.connect())
    socket.on(
      'connect_error',
      () => !socket.active && this.socket === socket && setTimeout(() => socket.connect(), 500),
    )
    socket.on(
      'room:head',
      ({ roomId, head }) => void (roomId === this.room?.id && head > this.screen.length && this.catchUp()),
    )
    socket.on('typing:changed', ({ account }) => void this.typists.add(account.id))
    socket.on('messages:posted', (news) => {
      if (news.roomId !== this.room?.id) return
      const { messages } = unpackPosted(news)
      this.show(messages)
      if (messages.some(({ seq }) => seq > this.screen.length)) void this.catchUp()
    })
    await this.connected()
  }

  /** Sends a message again and again until it is acknowledged. */
  async post(body: string): Promise<Posted> {
    const message = { roomId: this.room?.id ?? '', id: randomUUID(), body }
    return until(`the acknowledgement of “${body}”`, async () => {
      await this.connected()
      const reply = (await this.socket!.timeout(10_000).emitWithAck('message:post', message)) as
        { data: Posted } | { error: ErrorBody }
      if ('data' in reply) return reply.data
      this.refusals.push(reply.error)
      throw new Error(reply.error.message)
    })
  }

  /** Begins to type in the room. */
  async type(): Promise<void> {
    await this.socket!.timeout(10_000).emitWithAck('typing:start', { roomId: this.room?.id ?? '' })
  }

  /** All messages of the room on the server. */
  async history(): Promise<Message[]> {
    const messages: Message[] = []
    for (;;) {
      const page = await this.ask<Page>(
        'GET',
        `/api/rooms/${this.room?.id}/messages?after=${messages.at(-1)?.seq ?? 0}&limit=200`,
      )
      messages.push(...page.messages)
      if (page.messages.length === 0 || messages.at(-1)?.seq === page.head) return messages
    }
  }

  leave(): void {
    this.socket?.disconnect()
    this.socket = undefined
  }

  private connected(): Promise<void> {
    return until(`${this.name}'s connection`, () => {
      if (this.socket?.connected !== true) throw new Error('There is none.')
    })
  }

  /** Shows a message with the next number. Ignores messages that are shown already, or that skip a number. */
  private show(messages: Message[]): void {
    for (const message of messages) if (message.seq === this.screen.length + 1) this.screen.push(message)
  }

  private async catchUp(): Promise<void> {
    if (this.fetching || this.room === undefined) return
    this.fetching = true
    try {
      for (let head = Infinity; this.screen.length < head;) {
        try {
          const page = await this.ask<Page>(
            'GET',
            `/api/rooms/${this.room.id}/messages?after=${this.screen.length}&limit=200`,
          )
          head = page.head
          this.show(page.messages)
        } catch {
          if (this.socket?.connected !== true) return // after the next connect there is another try
          await sleep(500)
        }
      }
    } finally {
      this.fetching = false
    }
  }
}
