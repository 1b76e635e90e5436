import { packPosted, type Message } from '../contract.js'

/**
 * The messages of a busy room share frames: a frame costs a write for each reader, however many messages it has.
 *
 *   a message is posted, or comes from another replica
 *        │
 *        ▼                no
 *   does its room rest? ──────▶ it is sent at once, and then the room rests
 *        │ yes                          ▲
 *        ▼                              │ when the rest is over,
 *   it joins the room's batch ──────────┘ or the batch is full,
 *                                         or other news of the room must not come before its messages
 *
 * So a message in a quiet room never waits. In a busy one it waits for 50 ms at most, and the busier the process is,
 * the more messages share a frame.
 *
 * A client that connects or joins the room while a batch waits gets the batch: messages that it may have read from the
 * history already. It never misses one of them, because it hears of the room before it reads the history.
 */

interface RoomBatchesOptions {
  /** Sends messages to the readers of a room here: JSON of `PostedNews`, one for each frame. */
  deliver: (roomId: string, frames: string[]) => void
  /** Sends a frame of messages that were posted here to the other replicas. */
  passOn: (frame: RoomFrame) => void
  /** In ms. */
  now?: () => number
}

/** New messages of a room as JSON of `PostedNews`, and their numbers. */
export interface RoomFrame {
  roomId: string
  seqs: number[]
  json: string
}

interface Batch {
  posted: Message[]
  /** Frames from other replicas: they are not opened again. */
  received: RoomFrame[]
}

interface RestingBatch extends Batch {
  /** Ends the rest. */
  timer: NodeJS.Timeout
}

/** A frame has no more messages than this, and no more characters of text unless one message alone has. */
const messagesAtMost = 64
const textAtMost = 32 * 1024

const shortestRestMs = 5
const longestRestMs = 50
/** A room whose frames cost next to nothing does not rest. */
const worthARestMs = 1
/** For how long the cost of a frame counts as recent. */
const recentMs = 100

export type RoomBatches = ReturnType<typeof createRoomBatches>

export function createRoomBatches({ deliver, passOn, now = () => performance.now() }: RoomBatchesOptions) {
  /** The rooms that rest, each with what has come since its last frame. */
  const resting = new Map<string, RestingBatch>()
  const load = createLoad(now)
  let isStopped = false

  function accept(roomId: string, { posted, received }: Batch): void {
    const batch = resting.get(roomId)
    if (batch === undefined) return send(roomId, { posted, received })
    batch.posted.push(...posted)
    batch.received.push(...received)
    if (isFull(batch)) flush(roomId)
  }

  /** Sends the messages that wait, if there are any. */
  function flush(roomId: string): void {
    const batch = resting.get(roomId)
    if (batch !== undefined && countOf(batch) > 0) endRest(roomId, batch)
  }

  function endRest(roomId: string, batch: RestingBatch): void {
    clearTimeout(batch.timer)
    resting.delete(roomId)
    if (countOf(batch) > 0) send(roomId, batch)
  }

  function send(roomId: string, batch: Batch): void {
    const begun = now()
    const frames = framesOf(roomId, batch.posted)
    deliver(
      roomId,
      [...batch.received, ...frames].map(({ json }) => json),
    )
    const tookMs = now() - begun
    frames.forEach(passOn)
    load.add(tookMs)
    rest(roomId, restAfter(tookMs, countOf(batch), load.recent()))
  }

  function rest(roomId: string, ms: number): void {
    if (ms === 0 || isStopped) return
    const batch: RestingBatch = { posted: [], received: [], timer: setTimeout(() => endRest(roomId, batch), ms) }
    resting.set(roomId, batch)
  }

  return {
    /** Messages that were posted on this replica, in ascending `seq`. */
    post: (roomId: string, messages: Message[]) => accept(roomId, { posted: messages, received: [] }),
    /** Messages that have only to be delivered here: another replica has posted them, or they were read once more. */
    receive: (frame: RoomFrame) => accept(frame.roomId, { posted: [], received: [frame] }),
    flush,
    /** Sends all that waits. From then on no room rests. */
    stop() {
      isStopped = true
      for (const [roomId, batch] of resting) endRest(roomId, batch)
    },
  }
}

/**
 * How long a room rests after a frame. Three times what the frame took leaves three quarters of the process to others.
 * A room in which several messages came during one rest gains from a longer one. When the frames of all rooms together
 * keep the process busy, every room rests longer.
 */
function restAfter(tookMs: number, messages: number, recentMs: number): number {
  const neededMs = Math.max(tookMs * (messages > 1 ? 6 : 3), recentMs)
  return neededMs < worthARestMs ? 0 : Math.min(Math.max(neededMs, shortestRestMs), longestRestMs)
}

/** How much time the frames of all rooms took recently, in ms: each counts less and less, and little after 100 ms. */
function createLoad(now: () => number) {
  let sumMs = 0
  let at = now()
  const recent = () => sumMs * Math.exp((at - now()) / recentMs)
  return {
    recent,
    add(ms: number) {
      sumMs = recent() + ms
      at = now()
    },
  }
}

const textOf = (messages: Message[]) => messages.reduce((sum, { body }) => sum + body.length, 0)
const countOf = ({ posted, received }: Batch) => received.reduce((sum, { seqs }) => sum + seqs.length, posted.length)
const isFull = (batch: Batch) =>
  countOf(batch) >= messagesAtMost ||
  batch.received.reduce((sum, { json }) => sum + json.length, textOf(batch.posted)) >= textAtMost

/** As few frames as hold the messages. */
function framesOf(roomId: string, messages: Message[]): RoomFrame[] {
  const frames: Message[][] = []
  for (const message of messages) {
    const last = frames.at(-1)
    if (last !== undefined && last.length < messagesAtMost && textOf([...last, message]) <= textAtMost)
      last.push(message)
    else frames.push([message])
  }
  return frames.map((messages) => ({
    roomId,
    seqs: messages.map(({ seq }) => seq),
    json: JSON.stringify(packPosted({ roomId, messages })),
  }))
}
