import type { Message, NewMessage, Posted } from '../contract.js'
import { LockTimeout } from '../platform/db.js'
import { within } from '../platform/deadline.js'
import { ChatError, Unavailable } from '../platform/errors.js'
import { groupBy } from '../platform/group.js'

/**
 * Posts share commits.
 *
 *     post ──┐                 one transaction
 *     post ──┼──► waiting ──► lock rooms, number, insert, commit ──► news of each room, acknowledgements
 *     post ──┘       ▲                                │
 *                    └──────── next batch ◄───────────┘
 *
 * There is no timer: a lone post is written at once. Posts that arrive during a commit go together into the next one, so
 * batches grow with the load. A room is in one batch at a time, which keeps its posts and its news in order. When a batch
 * cannot be written as a whole, it is split until only the posts at fault fail.
 */

export interface Post {
  authorId: string
  message: NewMessage
}

/** At least one of the posts is stored already. Nothing was written. */
export class StoredBefore extends Error {}

/** What posting needs of the database. */
export interface PostStore {
  /**
   * Writes posts in one transaction. Resolves after the commit, with a message or a refusal for each post. Waits up to
   * `lockTimeoutMs` for each room that another transaction has locked.
   * @throws StoredBefore, LockTimeout; Unavailable, after which the posts may be stored or not; other errors when
   * PostgreSQL refuses a row.
   */
  write(posts: Post[], lockTimeoutMs: number): Promise<(Message | ChatError)[]>
  /** For each post its first outcome when it is stored already, else undefined. */
  find(posts: Post[]): Promise<(Posted | ChatError | undefined)[]>
}

interface PostingOptions {
  store: PostStore
  /** Called after a commit and before its acknowledgements, with the new messages of one room in ascending `seq`. */
  tell: (roomId: string, messages: Message[]) => void
  /** A post that is not stored by then is answered with Unavailable, and not written if it still waits. */
  answerMs: number
}

interface WaitingPost extends Post {
  arrivedAt: number
  resolve: (posted: Posted) => void
  reject: (error: unknown) => void
}

const postsPerBatch = 256
// More would not be written before their clients give up.
const waitingPerRoom = 200
const lockTimeoutMs = 4_000
// A room that another transaction has locked does not hold the other rooms of its batch for longer.
const sharedLockTimeoutMs = 100
// A batch that takes longer hangs. The rooms outside it do not wait for it any more.
const patienceMs = 1_000

/** Writes posts in batches. A room has one batch under way at most, and waits for other rooms no longer than a commit. */
export function createPosting({ store, tell, answerMs }: PostingOptions) {
  /** By room, in the order of arrival. */
  const waiting = new Map<string, WaitingPost[]>()
  /** How many posts of each room are in a batch that is under way. */
  const underWay = new Map<string, number>()
  let isWriting = false

  const isInTime = ({ arrivedAt }: WaitingPost) => performance.now() - arrivedAt < answerMs

  async function writeAll(): Promise<void> {
    if (isWriting) return
    isWriting = true
    for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) {
      await new Promise<void>((goOn) => {
        const patience = setTimeout(goOn, patienceMs)
        void write(batch, goOn).then(() => {
          clearTimeout(patience)
          goOn()
        })
      })
    }
    isWriting = false
  }

  /** Takes what waits, room by room. A room with posts left goes to the end of the line. */
  function takeBatch(): WaitingPost[] {
    const batch: WaitingPost[] = []
    for (const [roomId, posts] of [...waiting]) {
      if (underWay.has(roomId) || batch.length === postsPerBatch) continue
      const taken = posts.splice(0, postsPerBatch - batch.length).filter(isInTime)
      waiting.delete(roomId)
      if (posts.length > 0) waiting.set(roomId, posts)
      if (taken.length > 0) underWay.set(roomId, taken.length)
      batch.push(...taken)
    }
    return batch
  }

  /** Writes a batch and settles each of its posts. Calls `goOn` when the rooms outside it should not wait for it. */
  async function write(batch: WaitingPost[], goOn: () => void): Promise<void> {
    const rooms = groupBy(batch, ({ message }) => message.roomId)
    let outcomes: (Message | ChatError)[]
    try {
      outcomes = await store.write(batch, rooms.size > 1 ? sharedLockTimeoutMs : lockTimeoutMs)
    } catch (error) {
      if (error instanceof StoredBefore) return writeTheRest(batch, error, goOn)
      if (error instanceof LockTimeout && rooms.size > 1) {
        goOn()
        await Promise.all([...rooms.values()].map((posts) => write(posts, goOn)))
      } else if (error instanceof Unavailable || batch.length === 1) {
        for (const post of batch) settle(post, error)
      } else {
        await writeHalves(batch, goOn)
      }
      return
    }
    const settled = batch.map((post, index) => ({ post, outcome: outcomes[index]! }))
    for (const [roomId, ofRoom] of groupBy(settled, ({ post }) => post.message.roomId)) {
      const messages = ofRoom.flatMap(({ outcome }) => (outcome instanceof ChatError ? [] : [outcome]))
      if (messages.length > 0) tell(roomId, messages)
    }
    for (const { post, outcome } of settled) settle(post, outcome)
  }

  /** Acknowledges what is stored already, and writes the other posts. */
  async function writeTheRest(batch: WaitingPost[], error: StoredBefore, goOn: () => void): Promise<void> {
    const outcomes = await store.find(batch).catch((failure: unknown) => batch.map(() => failure))
    const rest = batch.filter((_post, index) => outcomes[index] === undefined)
    batch.forEach((post, index) => outcomes[index] !== undefined && settle(post, outcomes[index]))
    if (rest.length === 0) return
    if (rest.length < batch.length) await write(rest, goOn)
    // The same id twice in this batch, for two rooms.
    else if (rest.length > 1) await writeHalves(rest, goOn)
    else settle(rest[0]!, error)
  }

  /** One after the other, since both may have posts of the same room. */
  async function writeHalves(batch: WaitingPost[], goOn: () => void): Promise<void> {
    const half = Math.ceil(batch.length / 2)
    await write(batch.slice(0, half), goOn)
    await write(batch.slice(half), goOn)
  }

  /** `outcome` is what was stored, or an error. */
  function settle({ message: { roomId }, resolve, reject }: WaitingPost, outcome: unknown): void {
    if (outcome instanceof Error) reject(outcome)
    else {
      const { seq, id, postedAt } = outcome as Posted
      resolve({ seq, id, postedAt })
    }
    const left = (underWay.get(roomId) ?? 0) - 1
    if (left > 0) underWay.set(roomId, left)
    else underWay.delete(roomId)
    // A batch that was left behind has nobody who takes the next one.
    if (left === 0 && waiting.has(roomId)) void writeAll()
  }

  return {
    /**
     * Stores a message once, in the order of arrival within its room. Resolves after the commit.
     * @throws ChatError of the store, or `busy` when too many posts wait for the room; Unavailable after `answerMs`
     * or when PostgreSQL fails: then the message may be stored or not.
     */
    async post(authorId: string, message: NewMessage): Promise<Posted> {
      let posts = waiting.get(message.roomId) ?? []
      if (posts.length >= waitingPerRoom) posts = posts.filter(isInTime)
      if (posts.length >= waitingPerRoom)
        throw new ChatError('busy', 'The chat is busy. Please try again in a moment.', { retryAfterSeconds: 1 })
      waiting.set(message.roomId, posts)
      const posted = new Promise<Posted>((resolve, reject) =>
        posts.push({ authorId, message, arrivedAt: performance.now(), resolve, reject }),
      )
      void writeAll()
      return within(answerMs, 'Posting', posted)
    },
  }
}
