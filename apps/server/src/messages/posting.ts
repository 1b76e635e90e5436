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

/** At least one of the posts is already stored. Nothing was written. */
export class StoredBefore extends Error {}

/** The database operations that posting needs. */
export interface PostStore {
  /**
   * Writes posts in one transaction. Resolves after the commit, with a message or a refusal for each post. Waits up to
   * `lockTimeoutMs` for each room that another transaction has locked.
   * @throws StoredBefore, LockTimeout; Unavailable, after which the posts may be stored or not; other errors when
   * PostgreSQL refuses a row.
   */
  write(posts: Post[], lockTimeoutMs: number): Promise<(Message | ChatError)[]>
  /** For each post its first outcome when it is already stored, else undefined. */
  find(posts: Post[]): Promise<(Posted | ChatError | undefined)[]>
}

interface PostingOptions {
  store: PostStore
  /** Called after a commit and before its acknowledgements, with the new messages of one room in ascending `seq`. */
  tell: (roomId: string, messages: Message[]) => void
  /** In ms. A post that takes longer is rejected with Unavailable. If it is still waiting then, it is never written. */
  answerMs: number
}

interface WaitingPost extends Post {
  arrivedAt: number
  resolve: (posted: Posted) => void
  reject: (error: unknown) => void
}

const postsPerBatch = 256
// The server could not write more posts before their clients give up.
const waitingPerRoom = 200
const lockTimeoutMs = 4_000
// A room that another transaction has locked delays the other rooms of its batch by this time at most.
const sharedLockTimeoutMs = 100
// After this time the rooms outside a batch no longer wait for it.
const patienceMs = 1_000

/** Writes posts in batches. A room does not wait for a batch of other rooms that waits for a lock or hangs. */
export function createPosting({ store, tell, answerMs }: PostingOptions) {
  /** Posts by room, in the order of arrival. */
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

  /** Takes waiting posts, room by room. A room with more posts moves to the end of the queue. */
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

  /** Writes a batch and settles each of its posts. Calls `goOn` when other rooms should no longer wait for it. */
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

  /** Settles the posts that are already stored, and writes the others. */
  async function writeTheRest(batch: WaitingPost[], error: StoredBefore, goOn: () => void): Promise<void> {
    const outcomes = await store.find(batch).catch((failure: unknown) => batch.map(() => failure))
    const rest = batch.filter((_post, index) => outcomes[index] === undefined)
    batch.forEach((post, index) => outcomes[index] !== undefined && settle(post, outcomes[index]))
    if (rest.length === 0) return
    if (rest.length < batch.length) await write(rest, goOn)
    // This batch has the same id for two rooms.
    else if (rest.length > 1) await writeHalves(rest, goOn)
    else settle(rest[0]!, error)
  }

  /** Writes the second half after the first, because both can have posts of the same room. */
  async function writeHalves(batch: WaitingPost[], goOn: () => void): Promise<void> {
    const half = Math.ceil(batch.length / 2)
    await write(batch.slice(0, half), goOn)
    await write(batch.slice(half), goOn)
  }

  /** `outcome` is the stored message, or an error. */
  function settle({ message: { roomId }, resolve, reject }: WaitingPost, outcome: unknown): void {
    if (outcome instanceof Error) reject(outcome)
    else {
      const { seq, id, postedAt } = outcome as Posted
      resolve({ seq, id, postedAt })
    }
    const left = (underWay.get(roomId) ?? 0) - 1
    if (left > 0) underWay.set(roomId, left)
    else underWay.delete(roomId)
    // `writeAll` may have ended without waiting for this batch.
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
