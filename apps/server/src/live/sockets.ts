import type { Server as HttpServer } from 'node:http'
import { Gauge } from 'prom-client'
import { Server, type Socket } from 'socket.io'
import type { ChatAccount } from '../accounts/accounts.js'
import type { Ack, ClientToServerEvents, ServerToClientEvents } from '../contract.js'
import type { DirectDispatch } from './news.js'
import { within } from '../platform/deadline.js'
import { bodyOf, ChatError } from '../platform/errors.js'
import { createFaults } from '../platform/faults.js'
import type { Log } from '../platform/log.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Sessions } from '../sessions/sessions.js'
import { createAdmission, type CheckOrigin, type SocketData } from './admission.js'
import { forgetHandshake } from './connection.js'
import { sendToAll } from './frames.js'
import { createSlowReaders } from './slow-readers.js'

type Io = Server<ClientToServerEvents, ServerToClientEvents, Record<string, never>, SocketData>
type IoSocket = Socket<ClientToServerEvents, ServerToClientEvents, Record<string, never>, SocketData>

type Asking = keyof ClientToServerEvents
type ReplyTo<Event extends Asking> =
  NonNullable<Parameters<ClientToServerEvents[Event]>[1]> extends Ack<infer Reply> ? Reply : never

type Handle<Reply> = (input: unknown, account: ChatAccount, socket: object) => Promise<Reply>

/** The events of all sockets, as a slice sees them. */
export interface SocketEvents {
  /**
   * Answers an event with what `handle` returns, or with the error it throws. `socket` is the same object for all events
   * of a connection.
   */
  answer<Event extends Asking>(event: Event, handle: Handle<ReplyTo<Event>>): void
}

interface SocketsOptions {
  http: HttpServer
  log: Log
  sessions: Sessions
  rooms: Pick<Rooms, 'roomIdsOf'>
  checkOrigin: CheckOrigin
  register: (events: SocketEvents) => void
  onArrival: (accountId: string) => void
  onDeparture: (accountId: string) => void
}

export type Sockets = ReturnType<typeof createSockets>

const channelOf = {
  room: (id: string) => `room:${id}`,
  account: (id: string) => `account:${id}`,
  session: (id: string) => `session:${id}`,
}

const lookAtReadersMs = 1_000
/** How long drain waits for events that are being answered, and for HTTP requests that are under way. */
const inHandMs = 10_000
const requestMs = 5_000

const connected = new Gauge({ name: 'chat_sockets', help: 'Connected sockets of this process' })

/** The Socket.IO server. Slices add their events in `register`. */
export function createSockets({
  http,
  log,
  sessions,
  rooms,
  checkOrigin,
  register,
  onArrival,
  onDeparture,
}: SocketsOptions) {
  const admission = createAdmission<IoSocket>({ log, sessions, checkOrigin })
  const io: Io = new Server(http, {
    serveClient: false,
    // No long polling: a WebSocket stays on one replica, so no sticky sessions are needed.
    transports: ['websocket'],
    maxHttpBufferSize: 64 * 1024,
    pingInterval: 10_000,
    pingTimeout: 5_000,
    // For a connection that has not asked for its socket.
    connectTimeout: 10_000,
    allowRequest: admission.allowRequest,
  })
  const { adapter } = io.of('/')
  const sayFault = createFaults(log)

  const handles = new Map<string, Handle<unknown>>()
  register({ answer: (event, handle) => void handles.set(event, handle) })

  const inHand = new Set<Promise<void>>()
  let isLeaving = false

  /** Answers one event. A client can send anything: no payload, no callback, or something else in their place. */
  async function answer(socket: IoSocket, event: string, handle: Handle<unknown>, received: unknown[]): Promise<void> {
    const last = received.at(-1)
    const acknowledge = typeof last === 'function' ? (last as Ack<unknown>) : () => undefined
    try {
      if (isLeaving) throw new ChatError('stopping', 'This server is leaving. Please try again.')
      acknowledge({ data: await handle(received[0], socket.data.account, socket) })
    } catch (error) {
      const body = bodyOf(error)
      if (body.code === 'fault' || body.code === 'unavailable')
        sayFault({ err: error, event, socketId: socket.id }, 'event failed')
      acknowledge({ error: body })
    }
  }

  io.use(
    admission.letIn(async (socket, data) => {
      socket.data = data
      // From here on the socket hears of changes of memberships, so it misses none while its rooms are read.
      await socket.join([channelOf.account(data.account.id), channelOf.session(data.sessionId)])
      await socket.join((await rooms.roomIdsOf(data.account.id)).map(channelOf.room))
    }),
  )

  io.on('connection', (socket) => {
    const { account } = socket.data
    forgetHandshake(socket)
    connected.inc()
    onArrival(account.id)
    socket.on('disconnect', () => {
      connected.dec()
      // A connection without its socket is of no use.
      socket.conn.close()
      if (localSockets('account', account.id).length === 0) onDeparture(account.id)
    })
    // One listener for all events: one for each would take memory in each connection.
    socket.onAny((event: string, ...received: unknown[]) => {
      const handle = handles.get(event)
      if (handle === undefined) return
      const answering = answer(socket, event, handle, received).finally(() => inHand.delete(answering))
      inHand.add(answering)
    })
  })

  const slowReaders = createSlowReaders({ log })
  const looking = setInterval(
    () => slowReaders.cut([...io.of('/').sockets.values()].map(({ conn }) => conn)),
    lookAtReadersMs,
  ).unref()

  /** Includes sockets whose handshake is under way, which must not miss changes of their rooms. */
  function socketIds(kind: keyof typeof channelOf, id: string): string[] {
    return [...(adapter.rooms.get(channelOf[kind](id)) ?? [])]
  }
  function localSockets(kind: keyof typeof channelOf, id: string): IoSocket[] {
    return socketIds(kind, id).flatMap((socketId) => io.of('/').sockets.get(socketId) ?? [])
  }
  function idsOf(kind: keyof typeof channelOf): string[] {
    const prefix = channelOf[kind]('')
    return [...adapter.rooms.keys()]
      .filter((channel) => channel.startsWith(prefix))
      .map((channel) => channel.slice(prefix.length))
  }

  return {
    /** Sends an event to sockets of this process, or changes their rooms, or disconnects them. */
    deliver(dispatch: DirectDispatch) {
      // During a rollout a newer release may send other types; they are ignored.
      switch (dispatch.type) {
        case 'message:edited':
        case 'message:deleted':
        case 'room:head':
        case 'room:changed':
        case 'members:changed':
        case 'presence:changed':
        case 'presences:changed':
        case 'typing:changed':
          io.local.to(dispatch.to.map(channelOf.room)).emit(dispatch.type, ...([dispatch.payload] as never))
          break
        case 'person:changed':
          io.local
            .to([channelOf.account(dispatch.payload.person.id), ...dispatch.to.map(channelOf.room)])
            .emit('person:changed', dispatch.payload)
          break
        case 'room:opened':
          io.local.emit('room:opened', dispatch.payload)
          break
        case 'joined':
          for (const socketId of socketIds('account', dispatch.accountId))
            void adapter.addAll(socketId, new Set([channelOf.room(dispatch.roomId)]))
          break
        case 'left': {
          const { accountId, roomId } = dispatch
          for (const socketId of socketIds('account', accountId)) void adapter.del(socketId, channelOf.room(roomId))
          io.local.to(channelOf.account(accountId)).emit('members:changed', { roomId, joined: [], left: [accountId] })
          break
        }
        case 'session-ended':
          io.in(channelOf.session(dispatch.sessionId)).disconnectSockets(true)
          break
        case 'other-sessions-ended':
          for (const socket of localSockets('account', dispatch.accountId))
            if (socket.data.sessionId !== dispatch.exceptSessionId) socket.disconnect(true)
          break
      }
    },

    /** Sends frames of `messages:posted`, each the JSON of `PostedNews`, to the members of a room. */
    deliverPosted(roomId: string, frames: string[]) {
      sendToAll(
        localSockets('room', roomId).map(({ conn }) => conn),
        'messages:posted',
        frames,
      )
    },

    /** Ids of the rooms that have a socket here. */
    roomIds: () => idsOf('room'),
    /** Ids of the accounts, and of the sessions, that have a socket here. */
    accountIds: () => idsOf('account'),
    sessionIds: () => idsOf('session'),

    /** Has the account a socket here? */
    isConnected: (accountId: string) => localSockets('account', accountId).length > 0,

    /** Puts the sockets of an account into exactly these rooms, and tells them of each room they join or leave by that. */
    setRooms(accountId: string, roomIds: string[]) {
      for (const socket of localSockets('account', accountId)) {
        const wanted = new Set(roomIds)
        for (const channel of socket.rooms) {
          const roomId = channel.startsWith('room:') ? channel.slice('room:'.length) : undefined
          if (roomId === undefined || wanted.delete(roomId)) continue
          void socket.leave(channel)
          socket.emit('members:changed', { roomId, joined: [], left: [accountId] })
        }
        for (const roomId of wanted) {
          void socket.join(channelOf.room(roomId))
          socket.emit('members:changed', { roomId, joined: [], left: [] })
        }
      }
    },

    /**
     * Disconnects all sockets in 20 steps within `withinMs`, so that the other replicas do not get all of them at once.
     * Resolves when the events that were being answered are answered; later events are refused.
     */
    async drain(withinMs: number) {
      const all = [...io.of('/').sockets.values()]
      const slices = 20
      for (let slice = 0; slice < slices && all.length > 0; slice += 1) {
        for (const socket of all.splice(0, Math.ceil(all.length / (slices - slice)))) socket.disconnect(true)
        if (all.length > 0) await new Promise((resolve) => setTimeout(resolve, withinMs / slices))
      }
      isLeaving = true
      clearInterval(looking)
      const patience = setTimeout(() => http.closeAllConnections(), requestMs)
      await Promise.all([
        io.close(),
        within(inHandMs, 'What is in hand', Promise.all(inHand)).catch((error: unknown) =>
          log.warn({ err: error }, 'left before all was done'),
        ),
      ])
      clearTimeout(patience)
    },
  }
}
