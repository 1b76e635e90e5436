import type { Message } from '../contract.js'
import type { Database } from '../platform/db.js'
import { storeMentions } from '../mentions/mentions.js'
import { ChatError } from '../platform/errors.js'
import { roomArchived } from '../rooms/rooms.js'
import { StoredBefore, type PostStore } from './posting.js'
import * as queries from './queries.js'

/**
 * Stores posts in PostgreSQL. The row of a room stays locked until the commit, so the numbers of its messages follow the
 * order of commits and have no gaps, also when several replicas write to the room.
 */
export function createPostStore(db: Database, toMessage: (row: queries.MessageRow) => Message): PostStore {
  return {
    write: (posts, lockTimeoutMs) =>
      db.transaction(
        async (tx) => {
          const locked = await queries.lockRooms(tx, posts)
          const rooms = new Map(locked.map((room) => [room.roomId, room]))
          const members = new Set(locked.map(({ roomId, authorId }) => `${roomId} ${authorId}`))
          const numbered = posts.map(({ authorId, message }) => {
            const { roomId, replyTo } = message
            const room = rooms.get(roomId)
            if (room === undefined || !members.has(`${roomId} ${authorId}`))
              return new ChatError('not_a_member', 'Join the room first.')
            if (room.archived) return roomArchived()
            const seq = room.head + 1
            // Numbers have no gaps, so each smaller number is a message of this room.
            if (replyTo && replyTo >= seq)
              return new ChatError('reply_to_nothing', 'The message that this one answers is not there.', {
                field: 'replyTo',
              })
            room.head = seq
            return { seq, authorId, message }
          })
          const accepted = numbered.flatMap((post) => (post instanceof ChatError ? [] : [post]))
          const rows = accepted.length === 0 ? [] : await queries.insertMessages(tx, accepted)
          if (rows.length < accepted.length) throw new StoredBefore()
          const mentions = await storeMentions(tx, rows)
          const stored = new Map(
            rows.map((row) => {
              const place = `${row.roomId} ${row.seq}`
              return [place, toMessage({ ...row, mentions: mentions.get(place) ?? [] })]
            }),
          )
          return numbered.map((post) =>
            post instanceof ChatError ? post : stored.get(`${post.message.roomId} ${post.seq}`)!,
          )
        },
        { lockTimeoutMs },
      ),

    async find(posts) {
      const rows = await queries.sentBefore(db, posts)
      const stored = new Map(rows.map((row) => [`${row.authorId} ${row.id}`, row]))
      return posts.map(({ authorId, message: { id, roomId } }) => {
        const first = stored.get(`${authorId} ${id}`)
        if (first === undefined) return undefined
        if (first.roomId !== roomId)
          return new ChatError('message_id_taken', 'This message was already sent to another room.', { field: 'id' })
        return { seq: first.seq, id, postedAt: first.postedAt.toISOString() }
      })
    },
  }
}
