import { packPosted, type RoomMessages, type ServerToClientEvents } from '../contract.js'
import type { Hints } from './hints.js'
import { createRoomBatches, type RoomFrame } from './room-batches.js'

type Payload<Event extends keyof ServerToClientEvents> = Parameters<ServerToClientEvents[Event]>[0]
type RoomEvent = Exclude<keyof ServerToClientEvents, 'room:opened' | 'messages:posted'>

/** New messages of a room. Only live/ knows in which form and in how many frames they are sent. */
interface PostedDispatch {
  type: 'messages:posted'
  to: [roomId: string]
  payload: RoomMessages
}

/** What sockets are told at once: an event for the members of the rooms `to`, or a change of their own. */
export type DirectDispatch =
  | { [Event in RoomEvent]: { type: Event; to: string[]; payload: Payload<Event> } }[RoomEvent]
  | { type: 'room:opened'; payload: Payload<'room:opened'> }
  | { type: 'joined' | 'left'; accountId: string; roomId: string }
  | { type: 'session-ended'; sessionId: string }
  | { type: 'other-sessions-ended'; accountId: string; exceptSessionId: string }

/** What sockets need to hear of, whichever replica they are connected to. */
export type Dispatch = PostedDispatch | DirectDispatch

/** Tells sockets what has happened: those of this process directly, those of other replicas by hints. */
export interface News {
  send(dispatch: Dispatch): void
}

/** The sockets of this process, and the record of what they have been told. */
interface Here {
  deliver(dispatch: DirectDispatch): void
  /** Sends frames of `messages:posted` to the members of a room. */
  deliverPosted(roomId: string, frames: string[]): void
  /** These messages (by `seq`) or changes of messages (by `version`) of a room are being delivered. */
  note(counter: 'seq' | 'version', roomId: string, numbers: number[]): void
}

/**
 * The way of news:
 *
 *   send ───────────┬─ new messages ─▶ batch of their room ─▶ sockets here, and a hint to the other replicas
 *                   └─ all else ─────▶ sockets here, and a hint to the other replicas
 *   hint received ──┬─ new messages ─▶ batch of their room ─▶ sockets here
 *                   └─ all else ─────▶ sockets here
 *
 * Sockets of this process are served first and never wait for Redis. A process without sockets has no `here`.
 */
export function createNews({ hints, here }: { hints: Hints; here?: Here }) {
  const batches = createRoomBatches({
    deliver: (roomId, frames) => here?.deliverPosted(roomId, frames),
    passOn: (frame) => hints.publish(hintOf(frame)),
  })

  function deliverDirect(dispatch: DirectDispatch): void {
    // Messages that wait in a batch were first: what says something about them must not overtake them.
    for (const roomId of roomsToFlush(dispatch)) batches.flush(roomId)
    if (dispatch.type === 'message:edited' || dispatch.type === 'message:deleted')
      here?.note('version', dispatch.payload.roomId, [dispatch.payload.message.version])
    here?.deliver(dispatch)
  }

  function receive(frame: RoomFrame): void {
    here?.note('seq', frame.roomId, frame.seqs)
    batches.receive(frame)
  }

  if (here !== undefined)
    hints.subscribe((hint) => {
      const frame = frameOf(hint)
      if (frame !== undefined) receive(frame)
      else deliverDirect(JSON.parse(hint) as DirectDispatch)
    })

  return {
    send(dispatch: Dispatch) {
      if (dispatch.type === 'messages:posted') {
        const { roomId, messages } = dispatch.payload
        here?.note('seq', roomId, seqsOf(messages))
        batches.post(roomId, messages)
      } else {
        deliverDirect(dispatch)
        hints.publish(JSON.stringify(dispatch))
      }
    },

    /** Tells only the sockets of this process. */
    deliver: (dispatch: Dispatch) => {
      if (dispatch.type !== 'messages:posted') return deliverDirect(dispatch)
      const { roomId, messages } = dispatch.payload
      receive({ roomId, seqs: seqsOf(messages), json: JSON.stringify(packPosted(dispatch.payload)) })
    },

    /** Sends all messages that wait in batches. From then on none waits. */
    stop: () => batches.stop(),
  }
}

const seqsOf = (messages: { seq: number }[]) => messages.map(({ seq }) => seq)

/** The rooms whose messages must go out before this does. Typing and presence say nothing about a message. */
function roomsToFlush(dispatch: DirectDispatch): string[] {
  switch (dispatch.type) {
    case 'message:edited':
    case 'message:deleted':
    case 'room:head':
    case 'members:changed':
    case 'person:changed':
      return dispatch.to
    case 'left':
      return [dispatch.roomId]
    case 'typing:changed':
    case 'presence:changed':
    case 'presences:changed':
    case 'room:opened':
    case 'room:changed':
    case 'joined':
    case 'session-ended':
    case 'other-sessions-ended':
    default: // from a newer release, during a rollout
      return []
  }
}

/**
 * A hint is the JSON of a dispatch, or for new messages `posted ROOM SEQ,SEQ JSON`: the receiver passes the JSON on to
 * its sockets without reading it.
 */
const hintOf = ({ roomId, seqs, json }: RoomFrame) => `posted ${roomId} ${seqs.join()} ${json}`

function frameOf(hint: string): RoomFrame | undefined {
  const [head, roomId, seqs] = /^posted (\S+) ([\d,]+) /.exec(hint) ?? []
  if (head === undefined || roomId === undefined || seqs === undefined) return undefined
  return { roomId, seqs: seqs.split(',').map(Number), json: hint.slice(head.length) }
}
