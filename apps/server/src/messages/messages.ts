import { authorOf, type ToPerson } from '../accounts/person.js'
import type { Complete, Edit, Message, MessagePlace, NewMessage, Page, Posted } from '../contract.js'
import type { News } from '../live/news.js'
import { deleteMentions, storeMentions } from '../mentions/mentions.js'
import type { Database, Db } from '../platform/db.js'
import { within } from '../platform/deadline.js'
import { ChatError } from '../platform/errors.js'
import { createTurns } from '../platform/gate.js'
import { groupBy } from '../platform/group.js'
import { createLoader } from '../platform/loader.js'
import { roomArchived, type Rooms, type VisibleRoom } from '../rooms/rooms.js'
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

/** Clients give up and send again after twice this time. */
const answerMs = 5_000
// The server could not write more changes of a room in that time.
const waitingPerRoom = 200
const pageBytes = 256 * 1024

/** The first messages that fit into `bytes`, at least one: unread responses must not fill the memory. */
function whatFits(messages: Message[], bytes = pageBytes): Message[] {
  let size = 0
  return messages.filter(
    (message, index) => (size += Buffer.byteLength(JSON.stringify(message))) <= bytes || index === 0,
  )
}

/** `seq` counts messages, `version` counts changes of messages. */
export type Counter = 'seq' | 'version'
/** Changes a message in a turn of its room, and returns the message as it is then. */
type Write = (tx: Db, turn: queries.Turn) => Promise<queries.MessageRow>
type Following = { roomId: string; after: number; limit: number }

/** Which messages a page has. At most one field is set; without a field, the page has the newest messages. */
export type Place = { before?: number; after?: number; around?: number; changedAfter?: number }

/** Members post, change and read messages. Other accounts can read the messages of public rooms. */
export function createMessages({ db, news, rooms, toPerson }: MessagesOptions) {
  // Changes in one room run one after another. So a change that waits for the room holds no connection, and the events
  // are sent in the order of the versions.
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
      author: toPerson(authorOf(row)),
      body: row.body,
      postedAt: row.postedAt.toISOString(),
      replyTo: row.replyTo,
      editedAt: row.editedAt?.toISOString() ?? null,
      deleted: row.deletedAt !== null,
      mentions: row.mentions,
      reactions: row.reactions,
      version: row.version,
    }
  }

  /** Runs `work` after earlier changes in the room. Work that has not started within `answerMs` never starts. */
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
      // Throws `no_such_room` instead when the author may not see the room.
      if (error instanceof ChatError && error.reason === 'not_a_member')
        await rooms.requireMember(authorId, message.roomId)
      throw error
    }
  }

  async function change(accountId: string, roomId: string, write: Write): Promise<Message> {
    await rooms.requireMember(accountId, roomId)
    return inTurn(roomId, async () => {
      const message = await db.transaction(async (tx) => {
        const turn = await queries.takeTurn(tx, accountId, roomId)
        if (turn === undefined) throw new ChatError('not_a_member', 'Join the room first.')
        if (turn.archived) throw roomArchived()
        return toMessage(await write(tx, turn))
      })
      news.send({ type: changeOf(message), to: [roomId], payload: { roomId, message } })
      return message
    })
  }

  const changeBody = (authorId: string, { roomId, seq, body }: Edit) =>
    change(authorId, roomId, async (tx, turn) => {
      const row = await queries.updateBody(tx, turn, { seq, body })
      if (row === undefined) throw new ChatError('no_such_message', 'There is no such message of yours.')
      await deleteMentions(tx, roomId, seq)
      const mentions = (await storeMentions(tx, [{ roomId, seq, authorId, body }])).get(`${roomId} ${seq}`) ?? []
      if (body !== '') return { ...row, mentions }
      await queries.deleteReactions(tx, roomId, seq)
      return { ...row, mentions, reactions: [] }
    })

  /** Messages after a number. When many clients reconnect, their requests share queries. */
  const followingBy = (by: Counter) =>
    createLoader<Following, Message[]>({
      nameOf: ({ roomId, after, limit }) => `${roomId} ${after} ${limit}`,
      // A page can have several megabytes.
      keysAtOnce: 10,
      async load(all) {
        const rows = await queries.messagesAfter(db, by, all, Math.max(...all.map(({ limit }) => limit)))
        const found = groupBy(rows, ({ nth }) => nth)
        return all.map(({ limit }, index) => (found.get(index + 1) ?? []).slice(0, limit).map(toMessage))
      },
    })
  const following = { seq: followingBy('seq'), version: followingBy('version') }

  /** The messages of a page. */
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
     * Stores a message and tells the room. Resolves after the commit. A repeated id resolves with the first outcome.
     * @throws ChatError `not_found`, `forbidden`; `conflict` when the id was used in another room; `unavailable` when too
     * many posts wait; Unavailable after five seconds: then the message may be stored or not.
     */
    post(authorId: string, message: NewMessage): Promise<Posted> {
      // When a client sends a message again before the answer, both requests get the same answer.
      const key = `${authorId} ${message.id} ${message.roomId}`
      const posting = underWay.get(key) ?? post(authorId, message).finally(() => underWay.delete(key))
      underWay.set(key, posting)
      return posting
    },

    /** Changes one of the author's messages. @throws ChatError `no_such_room`, `not_a_member`, `no_such_message`, `busy`. */
    edit: changeBody,

    /** Deletes one of the author's messages: its number stays, its text is removed. @throws ChatError as `edit` does. */
    remove: (authorId: string, which: MessagePlace): Promise<Message> => changeBody(authorId, { ...which, body: '' }),

    /**
     * Changes something that belongs to a message: `write` does it for a member, in the order of the room's changes. The
     * message gets the next version, and the room is told.
     * @throws ChatError `no_such_room`, `not_a_member`, `no_such_message`, `busy`, and what `write` throws: then nothing
     * has changed.
     */
    touch: (accountId: string, { roomId, seq }: MessagePlace, write: (tx: Db) => Promise<void>): Promise<Message> =>
      change(accountId, roomId, async (tx, turn) => {
        const isThere = await queries.touch(tx, turn, seq)
        if (!isThere) throw new ChatError('no_such_message', 'There is no such message.')
        await write(tx)
        return queries.messageAt(tx, roomId, seq)
      }),

    /**
     * Messages in ascending `seq`: the last before `before`, the first after `after`, those around `around`, or the
     * newest. With `changedAfter`, the messages that changed after this version, in ascending `version`. A page of long
     * messages has fewer than `limit`.
     */
    async page(accountId: string, roomId: string, { limit, ...place }: Place & { limit: number }): Promise<Page> {
      // Read before the messages: a change between the two queries is then loaded twice, and never missed.
      const room = await rooms.requireVisible(accountId, roomId)
      const messages = await find(room, place, limit)
      // A message may have been posted between the two queries.
      const head = messages.reduce((head, { seq }) => Math.max(head, seq), room.head)
      return { messages, version: room.version, head }
    },

    headsOf: (roomIds: string[]) => queries.headsOf(db, roomIds),

    /** For each room, the first `limit` messages after a `seq`, or changed after a `version`, in ascending order. */
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

/** The event for the last change of a message. */
export function changeOf({ deleted }: Message): 'message:edited' | 'message:deleted' {
  return deleted ? 'message:deleted' : 'message:edited'
}
