import type { ToPerson } from '../accounts/person.js'
import type { Message, NewMessage, Page, Posted } from '../contract.js'
import type { News } from '../live/news.js'
import type { Database } from '../platform/db.js'
import { within } from '../platform/deadline.js'
import { ChatError } from '../platform/errors.js'
import { createTurns } from '../platform/gate.js'
import type { Rooms } from '../rooms/rooms.js'
import * as queries from './queries.js'

export type Messages = ReturnType<typeof createMessages>

interface MessagesOptions {
  db: Database
  news: News
  rooms: Pick<Rooms, 'requireMember' | 'find'>
  toPerson: ToPerson
}

/** The author has sent this id before: thrown to give the number back that was taken for it. */
class SentBefore extends Error {}

/** Half of the time after which clients give up and send again: a late answer is worse than none. */
const answerMs = 5_000
// More than this would not be written in that time.
const waitingPerRoom = 200
const pageBytes = 256 * 1024

/** The first messages that fit into a page, one at least: whoever asks for many pages and reads none holds little memory. */
function whatFits(messages: Message[]): Message[] {
  let size = 0
  return messages.filter(
    (message, index) => (size += Buffer.byteLength(JSON.stringify(message))) <= pageBytes || index === 0,
  )
}

/** Posting and changing, for members only, and paging through history, of public rooms for everybody. */
export function createMessages({ db, news, rooms, toPerson }: MessagesOptions) {
  // Posts to one room would wait for each other's row lock anyway; here they wait without holding a connection,
  // and their news goes out in the order of their numbers.
  const inTurn = createTurns({ waiting: waitingPerRoom })
  const underWay = new Map<string, Promise<Posted>>()

  function toMessage(row: queries.MessageRow): Message {
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
    }
  }

  async function store(authorId: string, { roomId, id, body, replyTo = null }: NewMessage): Promise<Message> {
    return db.transaction(async (tx) => {
      const seq = await queries.takeSeq(tx, roomId, authorId)
      if (seq === undefined) throw new ChatError('forbidden', 'Join the room first.')
      // Numbers have no holes, so every smaller one is a message of this room.
      if (replyTo !== null && replyTo >= seq)
        throw new ChatError('invalid', 'The message that this one answers is not there.')
      const row = await queries.insertMessage(tx, { roomId, seq, id, authorId, body, replyTo })
      if (row === undefined) throw new SentBefore()
      await queries.markOwnRead(tx, roomId, authorId, seq)
      return toMessage(row)
    })
  }

  /** Stores a message, or finds it stored: then there is no news of it. */
  async function storeOnce(authorId: string, message: NewMessage): Promise<{ posted: Posted; fresh: Message[] }> {
    try {
      const stored = await store(authorId, message)
      return { posted: { seq: stored.seq, id: stored.id, postedAt: stored.postedAt }, fresh: [stored] }
    } catch (error) {
      if (error instanceof SentBefore) {
        const first = await queries.sentBefore(db, authorId, message.id)
        if (first?.roomId !== message.roomId)
          throw new ChatError('conflict', 'This message was already sent to another room.')
        return { posted: { seq: first.seq, id: message.id, postedAt: first.postedAt.toISOString() }, fresh: [] }
      }
      // Worth a second look only on a refusal: is the room not joined, or not to be known of?
      if (error instanceof ChatError && error.code === 'forbidden') await rooms.requireMember(message.roomId, authorId)
      throw error
    }
  }

  async function post(authorId: string, message: NewMessage): Promise<Posted> {
    const { roomId } = message
    const late = new AbortController()
    const storing = inTurn(roomId, () => storeOnce(authorId, message), late.signal)
    // The next turn has begun by now, and its commit takes longer than this: news goes out in the order of the numbers.
    const told = storing.then(({ posted, fresh }) => {
      if (fresh.length > 0) news.send({ type: 'messages:posted', to: [roomId], payload: { roomId, messages: fresh } })
      return posted
    })
    try {
      return await within(answerMs, 'Posting', told)
    } finally {
      late.abort()
    }
  }

  async function change(
    authorId: string,
    { roomId, seq }: { roomId: string; seq: number },
    body: string,
  ): Promise<Message> {
    await rooms.requireMember(roomId, authorId)
    const row = await queries.updateBody(db, roomId, seq, authorId, body)
    if (row === undefined) throw new ChatError('not_found', 'There is no such message of yours.')
    return toMessage(row)
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

    /** Gives one's own message another text. @throws ChatError `not_found`, `forbidden`. */
    async edit(
      authorId: string,
      { roomId, seq, body }: { roomId: string; seq: number; body: string },
    ): Promise<Message> {
      const message = await change(authorId, { roomId, seq }, body)
      news.send({ type: 'message:edited', to: [roomId], payload: { roomId, message } })
      return message
    },

    /** Deletes one's own message: its place stays, its text is gone. @throws ChatError `not_found`, `forbidden`. */
    async remove(authorId: string, which: { roomId: string; seq: number }): Promise<Message> {
      const message = await change(authorId, which, '')
      news.send({ type: 'message:deleted', to: [which.roomId], payload: { roomId: which.roomId, message } })
      return message
    },

    /** A stretch of history in ascending `seq`: the last before `before`, the first after `after`, or the newest. Long ones make it short. */
    async page(
      accountId: string,
      roomId: string,
      { before, after, limit }: { before?: number; after?: number; limit: number },
    ): Promise<Page> {
      const { head } = await rooms.find(roomId, accountId)
      const rows =
        after !== undefined
          ? await queries.pageAfter(db, roomId, after, limit)
          : await queries.pageBefore(db, roomId, before ?? null, limit)
      const messages = whatFits(rows.map(toMessage))
      if (after === undefined) messages.reverse()
      // Somebody may have posted between the two statements.
      return { messages, head: Math.max(head, messages.at(-1)?.seq ?? 0) }
    },

    headsOf: (roomIds: string[]) => queries.headsOf(db, roomIds),

    /** The first `limit` messages of each room after the one it has, in ascending `seq`. */
    async missing(rooms: { roomId: string; after: number }[], limit: number): Promise<Map<string, Message[]>> {
      const found = new Map<string, Message[]>()
      for (const { roomId, ...row } of await queries.pagesAfter(db, rooms, limit)) {
        found.set(roomId, [...(found.get(roomId) ?? []), toMessage(row)])
      }
      return found
    },
  }
}
