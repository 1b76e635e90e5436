import { authorColumns, type AuthorColumns } from '../accounts/person.js'
import type { Mention, NewMessage, Reaction } from '../contract.js'
import { mentionsOfMessage } from '../mentions/mentions.js'
import type { Db } from '../platform/db.js'
import type { VisibleRoom } from '../rooms/rooms.js'

export interface MessageRow extends AuthorColumns {
  seq: number
  id: string
  body: string
  postedAt: Date
  replyTo: number | null
  editedAt: Date | null
  deletedAt: Date | null
  mentions: Mention[]
  reactions: Reaction[]
  version: number
}

// Each reaction is a change of its message, so a message without changes has none.
const reactions = `case when m.version = 0 then '[]' else coalesce(
         (select jsonb_agg(jsonb_build_object('emoji', emoji, 'people', people) order by begun, emoji)
            from (select r.emoji, min(r.reacted_at) as begun,
                         jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by r.reacted_at, p.id) as people
                    from reactions r join accounts p on p.id = r.account_id
                   where r.room_id = m.room_id and r.seq = m.seq
                   group by r.emoji) as of_emoji), '[]') end`

/** The columns of a message without what belongs to it in other tables. */
const columns = `m.seq, m.id, ${authorColumns},
       m.body, m.posted_at as "postedAt", m.reply_to as "replyTo", m.edited_at as "editedAt", m.deleted_at as "deletedAt", m.version`

const message = `${columns}, ${mentionsOfMessage} as mentions, ${reactions} as reactions`

/**
 * Locks rooms until the transaction ends. Returns each room's `head` and whether it is archived, with the authors who are
 * members. None of these can change before the commit. All transactions lock rooms in the same order, so there is no deadlock.
 */
export function lockRooms(
  db: Db,
  posts: { authorId: string; message: { roomId: string } }[],
): Promise<{ roomId: string; head: number; archived: boolean; authorId: string }[]> {
  return db.query(
    `select r.id as "roomId", r.head, r.archived_at is not null as archived, m.account_id as "authorId"
       from (select distinct * from unnest($1::uuid[], $2::uuid[]) as asked (room_id, account_id)) asked
       join memberships m using (room_id, account_id) join rooms r on r.id = m.room_id
      order by r.id, m.account_id
        for no key update of r for key share of m`,
    [posts.map(({ message }) => message.roomId), posts.map(({ authorId }) => authorId)],
  )
}

/**
 * Inserts messages with their numbers, in rooms that this transaction has locked, and moves each room's head and each
 * author's read mark. A message is left out when its author has already sent a message with the same id.
 */
export function insertMessages(
  db: Db,
  messages: { seq: number; authorId: string; message: NewMessage }[],
): Promise<(MessageRow & { roomId: string })[]> {
  const rows = messages.map(({ seq, authorId, message: { roomId, id, body, replyTo = null, ...rest } }) => {
    // When the contract gets a new field, the types require it in this statement too.
    rest satisfies Record<string, never>
    return { seq, authorId, roomId, id, body, replyTo }
  })
  const column = <Name extends keyof (typeof rows)[number]>(name: Name) => rows.map((row) => row[name])
  return db.query(
    `with m as (
       insert into messages (room_id, seq, id, author_id, body, reply_to)
       select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[])
       on conflict (author_id, id) do nothing
       returning *
     ), heads as (
       update rooms r set head = last.seq
         from (select room_id, max(seq) as seq from m group by room_id) last
        where r.id = last.room_id
     ), marks as (
       update memberships own set read_seq = greatest(own.read_seq, last.seq)
         from (select room_id, author_id, max(seq) as seq from m group by room_id, author_id) last
        where own.room_id = last.room_id and own.account_id = last.author_id
     )
     select m.room_id as "roomId", ${columns}, '[]'::jsonb as mentions, '[]'::jsonb as reactions
       from m join accounts a on a.id = m.author_id`,
    [column('roomId'), column('seq'), column('id'), column('authorId'), column('body'), column('replyTo')],
  )
}

/** The stored messages that have these authors and ids. */
export function sentBefore(
  db: Db,
  posts: { authorId: string; message: { id: string } }[],
): Promise<{ authorId: string; id: string; roomId: string; seq: number; postedAt: Date }[]> {
  return db.query(
    `select author_id as "authorId", id, room_id as "roomId", seq, posted_at as "postedAt"
       from messages join unnest($1::uuid[], $2::uuid[]) as sent (author_id, id) using (author_id, id)`,
    [posts.map(({ authorId }) => authorId), posts.map(({ message }) => message.id)],
  )
}

/** The last messages before `before`, in descending order. */
export function pageBefore(db: Db, room: VisibleRoom, before: number, limit: number): Promise<MessageRow[]> {
  return db.query<MessageRow>(
    `select ${message}
       from messages m join accounts a on a.id = m.author_id
      where m.room_id = $1 and m.seq < $2
      order by m.seq desc limit $3`,
    [room.id, before, limit],
  )
}

// The index by version has only messages that have changed.
const after = { seq: 'seq > r.after', version: 'version > 0 and version > r.after' }

/**
 * The first messages of each room after a `seq`, or changed after a `version`, in ascending order. `nth` is the place of
 * the room in `rooms`, from 1. It checks no access, because the server also reads messages for its own use.
 */
export function messagesAfter(
  db: Db,
  by: 'seq' | 'version',
  rooms: { roomId: string; after: number }[],
  limit: number,
): Promise<(MessageRow & { nth: number })[]> {
  return db.query(
    `select r.nth, ${message}
       from unnest($1::uuid[], $2::bigint[]) with ordinality as r (id, after, nth)
      cross join lateral (select * from messages where room_id = r.id and ${after[by]} order by ${by} limit $3) m
       join accounts a on a.id = m.author_id
      order by r.nth, m.${by}`,
    [rooms.map(({ roomId }) => roomId), rooms.map(({ after }) => after), limit],
  )
}

declare const taken: unique symbol

/** The next version of a room, for a change by one of its members. Only `takeTurn` returns it. */
export interface Turn {
  readonly [taken]: true
  roomId: string
  authorId: string
  version: number
  archived: boolean
}

/**
 * Takes the next version of a room for one of its members. The room's row stays locked until the transaction ends, so
 * versions are in the order of commits. After a rollback the next change takes the same version. Undefined when the room
 * does not exist, or the account is not a member.
 */
export async function takeTurn(db: Db, accountId: string, roomId: string): Promise<Turn | undefined> {
  const [turn] = await db.query<Turn>(
    `update rooms set version = version + 1
       from memberships m
      where m.account_id = $1 and m.room_id = $2 and rooms.id = m.room_id
      returning rooms.id as "roomId", m.account_id as "authorId", rooms.version, rooms.archived_at is not null as archived`,
    [accountId, roomId],
  )
  return turn
}

/** Gives a message the version of a turn. False when there is no such message, or it is deleted. */
export async function touch(db: Db, { roomId, version }: Turn, seq: number): Promise<boolean> {
  const touched = await db.query(
    'update messages set version = $3 where room_id = $1 and seq = $2 and deleted_at is null returning seq',
    [roomId, seq, version],
  )
  return touched.length > 0
}

/** A message that is known to exist. */
export async function messageAt(db: Db, roomId: string, seq: number): Promise<MessageRow> {
  const [found] = await db.query<MessageRow>(
    `select ${message} from messages m join accounts a on a.id = m.author_id where m.room_id = $1 and m.seq = $2`,
    [roomId, seq],
  )
  return found!
}

/** Changes the text of an author's message. An empty text deletes it. Undefined when the author has no such message. */
export async function updateBody(
  db: Db,
  { roomId, authorId, version }: Turn,
  { seq, body }: { seq: number; body: string },
): Promise<MessageRow | undefined> {
  const [updated] = await db.query<MessageRow>(
    `with m as (
       update messages
          set body = $4,
              edited_at = case when $4 = '' then edited_at else now() end,
              deleted_at = case when $4 = '' then now() end,
              version = $5
        where room_id = $1 and seq = $2 and author_id = $3 and deleted_at is null
        returning *
     )
     select ${message} from m join accounts a on a.id = m.author_id`,
    [roomId, seq, authorId, body, version],
  )
  return updated
}

/** Removes all reactions to a message. */
export async function deleteReactions(db: Db, roomId: string, seq: number): Promise<void> {
  await db.query('delete from reactions where room_id = $1 and seq = $2', [roomId, seq])
}

/** `seq` of the newest message and the version of each room. */
export function headsOf(db: Db, roomIds: string[]): Promise<{ roomId: string; head: number; version: number }[]> {
  return db.query('select id as "roomId", head, version from rooms where id = any($1::uuid[]) order by id', [roomIds])
}
