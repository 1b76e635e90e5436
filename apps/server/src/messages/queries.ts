import type { NewMessage } from '../contract.js'
import type { Db } from '../platform/db.js'

export interface MessageRow {
  seq: number
  id: string
  authorId: string
  authorName: string
  authorAvatarKey: string | null
  authorIsBot: boolean
  body: string
  postedAt: Date
  replyTo: number | null
  editedAt: Date | null
  deletedAt: Date | null
  version: number
}

const message = `m.seq, m.id, m.author_id as "authorId", a.name as "authorName", a.avatar_key as "authorAvatarKey", a.email is null as "authorIsBot",
       m.body, m.posted_at as "postedAt", m.reply_to as "replyTo", m.edited_at as "editedAt", m.deleted_at as "deletedAt", m.version`

/**
 * Takes the next number of a room for one of its members: `head` counts messages, `version` their changes. The room's row
 * stays locked until the transaction ends, so numbers are handed out in the order of commits, and one that is rolled back
 * is given to the next. Undefined when there is no such room or the account is not a member.
 */
export async function takeNext(
  db: Db,
  counter: 'head' | 'version',
  roomId: string,
  accountId: string,
): Promise<number | undefined> {
  const [room] = await db.query<{ taken: number }>(
    `update rooms set ${counter} = ${counter} + 1
      where id = $1 and exists (select from memberships where room_id = $1 and account_id = $2)
      returning ${counter} as taken`,
    [roomId, accountId],
  )
  return room?.taken
}

/** Undefined when the author has sent this id before. */
export async function insertMessage(
  db: Db,
  authorId: string,
  seq: number,
  { roomId, id, body, replyTo = null, ...rest }: NewMessage,
): Promise<MessageRow | undefined> {
  // A field that comes into the contract has to come into this statement.
  rest satisfies Record<string, never>
  const [inserted] = await db.query<MessageRow>(
    `with m as (
       insert into messages (room_id, seq, id, author_id, body, reply_to) values ($1, $2, $3, $4, $5, $6)
       on conflict (author_id, id) do nothing
       returning *
     )
     select ${message} from m join accounts a on a.id = m.author_id`,
    [roomId, seq, id, authorId, body, replyTo],
  )
  return inserted
}

/** Whoever posts has read up to there. */
export async function markOwnRead(db: Db, roomId: string, authorId: string, seq: number): Promise<void> {
  await db.query('update memberships set read_seq = greatest(read_seq, $3) where room_id = $1 and account_id = $2', [
    roomId,
    authorId,
    seq,
  ])
}

/** What an author has sent under this id, and where. */
export async function sentBefore(
  db: Db,
  authorId: string,
  id: string,
): Promise<{ roomId: string; seq: number; postedAt: Date } | undefined> {
  const [found] = await db.query<{ roomId: string; seq: number; postedAt: Date }>(
    `select room_id as "roomId", seq, posted_at as "postedAt" from messages where author_id = $1 and id = $2`,
    [authorId, id],
  )
  return found
}

/** The last messages before `before` (null: the newest), in descending order. */
export function pageBefore(db: Db, roomId: string, before: number | null, limit: number): Promise<MessageRow[]> {
  return db.query<MessageRow>(
    `select ${message}
       from messages m join accounts a on a.id = m.author_id
      where m.room_id = $1 and ($2::bigint is null or m.seq < $2)
      order by m.seq desc limit $3`,
    [roomId, before, limit],
  )
}

// Messages that were never changed are not in the index.
const after = { seq: 'seq > r.after', version: 'version > 0 and version > r.after' }

/** The first messages of each room after the number it has, in ascending order: by `seq` or, those that were changed, by `version`. */
export function messagesAfter(
  db: Db,
  by: 'seq' | 'version',
  rooms: { roomId: string; after: number }[],
  limit: number,
): Promise<(MessageRow & { roomId: string })[]> {
  return db.query<MessageRow & { roomId: string }>(
    `select m.room_id as "roomId", ${message}
       from unnest($1::uuid[], $2::bigint[]) as r (id, after)
      cross join lateral (select * from messages where room_id = r.id and ${after[by]} order by ${by} limit $3) m
       join accounts a on a.id = m.author_id
      order by m.room_id, m.${by}`,
    [rooms.map(({ roomId }) => roomId), rooms.map(({ after }) => after), limit],
  )
}

/** Gives an author's message another text, or none: then it is deleted. Undefined when it is not theirs, or gone. */
export async function updateBody(
  db: Db,
  {
    roomId,
    seq,
    authorId,
    body,
    version,
  }: { roomId: string; seq: number; authorId: string; body: string; version: number },
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

/** How far each of these rooms has come. */
export function headsOf(db: Db, roomIds: string[]): Promise<{ roomId: string; head: number; version: number }[]> {
  return db.query('select id as "roomId", head, version from rooms where id = any($1::uuid[]) order by id', [roomIds])
}
