import type { ToPerson } from '../accounts/person.js'
import type { Complete, Edit, Message, MessagePlace, NewMessage, Page, Posted } from '../contract.js'
import type { News } from '../live/news.js'
import type { Database } from '../platform/db.js'
import { within } from '../platform/deadline.js'
import { ChatError } from '../platform/errors.js'
import { createTurns } from '../platform/gate.js'
import { groupBy } from '../platform/group.js'
import { createLoader } from '../platform/loader.js'
import type { Rooms, VisibleRoom } from '../rooms/rooms.js'
import { createPostStore } from './post-store.js'
import { createPosting } from './posting.js'
import * as queries from './queries.js'

export type Messages = ReturnType<typeof createMessages>

interface MessagesOptions {
  db: Database
  news: News
  rooms: Pick<Rooms, 'requireMember' | 'requireVisible'>
  toPerson: ToPerson
}

/** Half of the time after which clients give up and send again: a late answer is worse than none. */
const answerMs = 5_000
// More than this would not be written in that time.
const waitingPerRoom = 200
const pageBytes = 256 * 1024

/** The first messages that fit into so many bytes, one at least: whoever asks for many pages and reads none holds little memory. */
function whatFits(messages: Message[], bytes = pageBytes): Message[] {
  let size = 0
  return messages.filter(
    (message, index) => (size += Buffer.byteLength(JSON.stringify(message))) <= bytes || index === 0,
  )
}

/** Messages are counted by `seq`, changes of them by `version`. */
type Counter = 'seq' | 'version'
type Following = { roomId: string; after: number; limit: number }

/** Where a page is taken from: the newest messages when none is given. */
export type Place = { before?: number; after?: number; around?: number; changedAfter?: number }

/** Posting and changing, for members only, and paging through history, of public rooms for everybody. */
export function createMessages({ db, news, rooms, toPerson }: MessagesOptions) {
  // Changes in one room would wait for each other's row lock anyway. Here they wait without a connection, and their news
  // goes out in the order of their versions.
  const turns = createTurns({ waiting: waitingPerRoom })
  const posting = createPosting({
    store: createPostStore(db, toMessage),
    tell: (roomId, messages) => news.send({ type: 'messages:posted', to: [roomId], payload: { roomId, messages } }),
    answerMs,
  })
  const underWay = new Map<string, Promise<Posted>>()

  function toMessage(row: queries.MessageRow): Complete<Message> {
    return {
      seq: row.seq,
      id: row.id,
      author: toPerson({
        id: row.authorId,
        name: row.authorName,
        avatarKey: row.authorAvatarKey,
        isBot: row.authorIsBot,
      }),
      body: row.body,
      postedAt: row.postedAt.toISOString(),
      replyTo: row.replyTo,
      editedAt: row.editedAt?.toISOString() ?? null,
      deleted: row.deletedAt !== null,
      version: row.version,
    }
  }

  /** What has not begun when the time is over never does. */
  async function inTurn<Result>(roomId: string, work: () => Promise<Result>): Promise<Result> {
    const late = new AbortController()
    try {
      return await within(answerMs, 'Changing', turns(roomId, work, late.signal))
    } finally {
      late.abort()
    }
  }

  async function post(authorId: string, message: NewMessage): Promise<Posted> {
    try {
      return await posting.post(authorId, message)
    } catch (error) {
      // Only a refusal is worth a second look: is the room not joined, or hidden from the author?
      if (error instanceof ChatError && error.reason === 'not_a_member')
        await rooms.requireMember(authorId, message.roomId)
      throw error
    }
  }

  async function change(authorId: string, { roomId, seq, body }: Edit): Promise<Message> {
    await rooms.requireMember(authorId, roomId)
    return inTurn(roomId, async () => {
      const message = await db.transaction(async (tx) => {
        const turn = await queries.takeTurn(tx, authorId, roomId)
        if (turn === undefined) throw new ChatError('not_a_member', 'Join the room first.')
        const row = await queries.updateBody(tx, turn, { seq, body })
        if (row === undefined) throw new ChatError('no_such_message', 'There is no such message of yours.')
        return toMessage(row)
      })
      news.send({ type: changeOf(message), to: [roomId], payload: { roomId, message } })
      return message
    })
  }

  /** Messages after a number. Clients that come back together ask for much the same, which is read once for all. */
  const followingBy = (by: Counter) =>
    createLoader<Following, Message[]>({
      nameOf: ({ roomId, after, limit }) => `${roomId} ${after} ${limit}`,
      // A page may have some megabytes.
      keysAtOnce: 10,
      async load(all) {
        const rows = await queries.messagesAfter(db, by, all, Math.max(...all.map(({ limit }) => limit)))
        const found = groupBy(rows, ({ nth }) => nth)
        return all.map(({ limit }, index) => (found.get(index + 1) ?? []).slice(0, limit).map(toMessage))
      },
    })
  const following = { seq: followingBy('seq'), version: followingBy('version') }

  /** Messages in the order in which they were found, with room for each of them. */
  async function find(
    room: VisibleRoom,
    { before, after, around, changedAfter }: Place,
    limit: number,
  ): Promise<Message[]> {
    const next = async (by: Counter, after: number, limit: number, bytes = pageBytes) =>
      whatFits(await following[by]({ roomId: room.id, after, limit }), bytes)
    const last = async (before: number, limit: number, bytes = pageBytes) =>
      whatFits((await queries.pageBefore(db, room, before, limit)).map(toMessage), bytes).reverse()

    if (changedAfter !== undefined) return next('version', changedAfter, limit)
    if (after !== undefined) return next('seq', after, limit)
    if (around === undefined) return last(before ?? Number.MAX_SAFE_INTEGER, limit)
    const half = Math.ceil(limit / 2)
    const found = await Promise.all([
      last(around + 1, half, pageBytes / 2),
      limit > half ? next('seq', around, limit - half, pageBytes / 2) : [],
    ])
    return found.flat()
  }

  return {
    /**
     * Stores a message and tells the room. Resolves after the commit. The same id again resolves with the first outcome.
     * @throws ChatError `not_found`, `forbidden`; `conflict` when the id was used in another room; `unavailable` when too
     * many wait, or Unavailable after five seconds: then it may be stored or not.
     */
    post(authorId: string, message: NewMessage): Promise<Posted> {
      // A message that is sent again while it waits takes no second place.
      const key = `${authorId} ${message.id} ${message.roomId}`
      const posting = underWay.get(key) ?? post(authorId, message).finally(() => underWay.delete(key))
      underWay.set(key, posting)
      return posting
    },

    /** Gives one's own message another text. @throws ChatError `no_such_room`, `not_a_member`, `no_such_message`, `busy`. */
    edit: change,

    /** Deletes one's own message: its place stays, its text is gone. @throws ChatError as `edit` does. */
    remove: (authorId: string, which: MessagePlace): Promise<Message> => change(authorId, { ...which, body: '' }),

    /**
     * A stretch of history in ascending `seq`: the last before `before`, the first after `after`, those around `around`,
     * or the newest; or in ascending `version` what has changed since `changedAfter`. Long ones make it short.
     */
    async page(accountId: string, roomId: string, { limit, ...place }: Place & { limit: number }): Promise<Page> {
      // Read before the messages: a change between the two is in them, and asked for once more.
      const room = await rooms.requireVisible(accountId, roomId)
      const messages = await find(room, place, limit)
      // Somebody may have posted between the two statements.
      const head = messages.reduce((head, { seq }) => Math.max(head, seq), room.head)
      return { messages, version: room.version, head }
    },

    headsOf: (roomIds: string[]) => queries.headsOf(db, roomIds),

    /** The first `limit` messages of each room after the `seq`, or changed after the `version`, that it has; ascending. */
    async missing(
      by: Counter,
      rooms: { roomId: string; after: number }[],
      limit: number,
    ): Promise<Map<string, Message[]>> {
      const found = await Promise.all(rooms.map((room) => following[by]({ ...room, limit })))
      return new Map(rooms.map(({ roomId }, index) => [roomId, found[index]!]))
    },
  }
}

/** The event that tells of a message's last change. */
export function changeOf({ deleted }: Message): 'message:edited' | 'message:deleted' {
  return deleted ? 'message:deleted' : 'message:edited'
}
