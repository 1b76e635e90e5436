import type { NotifyLevel, RoomDetails, RoomKind } from '../contract.js'
import { isDuplicate, type Db } from '../platform/db.js'

export interface RoomRow {
  id: string
  /** Null: a direct conversation. */
  name: string | null
  kind: RoomKind
  topic: string
  archived: boolean
  /** The asking account is a member and has created the room, which is not a direct conversation. */
  mine?: boolean | null
  /** The other people of a direct conversation. */
  others: { id: string; name: string; avatarKey: string | null }[] | null
  head: number
  version: number
  /** Null: the asking account is not a member. */
  read: number | null
  unread?: number | null
  mentions?: number
  notify?: NotifyLevel | null
}

export interface MemberRow {
  id: string
  name: string
  avatarKey: string | null
  isBot: boolean
}

const room = `r.id, r.name, r.kind, r.topic, r.archived_at is not null as archived,
       r.kind <> 'direct' and r.created_by = m.account_id as mine, r.head, r.version, m.read_seq as read, m.notify,
       case when r.kind = 'direct' then (
         select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name, 'avatarKey', p.avatar_key))
           from accounts p where p.id = any(r.people) and p.id <> m.account_id) end as others`
// A room for an account that is not a member.
const unjoined = `id, name, kind, topic, archived_at is not null as archived, null as others, head, version,
       null as "accountId", null as read`
// Messages of bots do not count. Only the newest 100 unread messages are checked for bots, to limit the cost.
const unread = `r.head - m.read_seq - (
         select count(*) from (select author_id from messages where room_id = r.id and seq > m.read_seq order by seq desc limit 100) late
          where author_id in (select id from accounts where email is null)) as unread,
       (select count(*) from mentions n
         where n.account_id = m.account_id and n.room_id = r.id and n.seq > m.read_seq) as mentions`

declare const looked: unique symbol
type Looked = RoomRow & { readonly [looked]: true }

/** A room, one of its members, and the member's read mark. Only `visibleRooms` returns it. */
export type Membership = Looked & { accountId: string; read: number }

/** A room that the asking account may see. Only queries in this file return it: an id alone does not show that. */
export type VisibleRoom = Membership | (Looked & { accountId: null; read: null })

/** The rooms of which the accounts are members, sorted by ids. */
export function roomsOf(db: Db, accountIds: string[]): Promise<(RoomRow & { accountId: string })[]> {
  return db.query(
    `select m.account_id as "accountId", ${room}, ${unread}
       from memberships m join rooms r on r.id = m.room_id
      where m.account_id = any($1::uuid[])
      order by m.account_id, r.id`,
    [accountIds],
  )
}

/**
 * Each room for the account that asks for it. `nth` is the place of the room in `asked`, from 1. A room is left out when
 * it does not exist, or when it is private and the account is not a member.
 */
export function visibleRooms(
  db: Db,
  asked: { accountId: string; roomId: string }[],
): Promise<{ nth: number; room: VisibleRoom }[]> {
  return db
    .query<VisibleRoom & { nth: number }>(
      `select asked.nth, ${room}, m.account_id as "accountId", ${unread}
         from unnest($1::uuid[], $2::uuid[]) with ordinality as asked (account_id, room_id, nth)
         join rooms r on r.id = asked.room_id
         left join memberships m on m.room_id = r.id and m.account_id = asked.account_id
        where r.kind = 'public' or m.account_id is not null`,
      [asked.map(({ accountId }) => accountId), asked.map(({ roomId }) => roomId)],
    )
    .then((rows) => rows.map(({ nth, ...room }) => ({ nth, room })))
}

/**
 * Public rooms of which the account is not a member, sorted by name: the first ones after the name `after` whose names
 * contain `search`. The unique index of public names has this order, so PostgreSQL reads only the rooms of the page. A
 * search compares one name after another until the page is full. With ten thousand rooms and no match it takes a few
 * milliseconds, so it does without an extension like pg_trgm, which not every database has.
 */
export function publicRooms(
  db: Db,
  accountId: string,
  { search, after, limit }: { search: string; after: string; limit: number },
): Promise<RoomRow[]> {
  return db.query<RoomRow>(
    `select ${room}
       from rooms r left join memberships m on m.room_id = r.id and m.account_id = $1
      where r.kind = 'public' and m.account_id is null and r.archived_at is null
        and lower(r.name) > lower($2) and strpos(lower(r.name), lower($3)) > 0
      order by lower(r.name) limit $4`,
    [accountId, after, search, limit],
  )
}

/** The memberships of these accounts. */
export function membershipsOf(db: Db, accountIds: string[]): Promise<{ accountId: string; roomId: string }[]> {
  return db.query(
    `select account_id as "accountId", room_id as "roomId" from memberships
      where account_id = any($1::uuid[]) order by account_id, room_id`,
    [accountIds],
  )
}

/** Creates a room without members. Undefined when a public room already has this name. */
export async function insertRoom(
  db: Db,
  createdBy: string | null,
  { name, kind }: { name: string; kind: 'public' | 'private' },
): Promise<VisibleRoom | undefined> {
  const [inserted] = await db.query<VisibleRoom>(
    `insert into rooms (name, kind, created_by) values ($1, $2, $3)
     on conflict (lower(name)) where kind = 'public' do nothing
     returning ${unjoined}`,
    [name, kind, createdBy],
  )
  return inserted
}

/** The public room with this name. Upper and lower case are equal. */
export async function publicRoomNamed(db: Db, name: string): Promise<VisibleRoom | undefined> {
  const [found] = await db.query<VisibleRoom>(
    `select ${unjoined}
       from rooms where kind = 'public' and lower(name) = lower($1)`,
    [name],
  )
  return found
}

/** Changes a room. Undefined when another public room has the name. */
export async function updateDetails(
  db: Db,
  { id }: Membership,
  { name, topic, archived }: Partial<RoomDetails>,
): Promise<RoomDetails | undefined> {
  try {
    const [updated] = await db.query<RoomDetails>(
      `update rooms
          set name = coalesce($2, name),
              topic = coalesce($3, topic),
              archived_at = case when coalesce($4, archived_at is not null) then coalesce(archived_at, now()) end
        where id = $1
        returning name, topic, archived_at is not null as archived`,
      [id, name, topic, archived],
    )
    return updated
  } catch (error) {
    if (isDuplicate(error)) return undefined
    throw error
  }
}

/** Adds a member, who starts with no unread messages. False when the account is already a member. */
export async function insertMembership(db: Db, accountId: string, room: VisibleRoom): Promise<boolean> {
  const inserted = await db.query(
    `insert into memberships (room_id, account_id, read_seq)
     select id, $2, head from rooms where id = $1
     on conflict do nothing
     returning room_id`,
    [room.id, accountId],
  )
  return inserted.length > 0
}

/** False when the membership has already ended. */
export async function deleteMembership(db: Db, { id, accountId }: Membership): Promise<boolean> {
  const gone = await db.query('delete from memberships where room_id = $1 and account_id = $2 returning room_id', [
    id,
    accountId,
  ])
  return gone.length > 0
}

/**
 * Moves the read mark of a member forward, never back and never past the newest message. Returns the mark, or undefined
 * when the account is not a member. It takes ids, not a `Membership`: the update itself checks the membership, and a
 * query before it would double the cost.
 */
export async function updateRead(db: Db, accountId: string, roomId: string, seq: number): Promise<number | undefined> {
  const [updated] = await db.query<{ read: number }>(
    `update memberships m set read_seq = greatest(m.read_seq, least($3::bigint, r.head))
       from rooms r
      where r.id = m.room_id and m.room_id = $1 and m.account_id = $2
      returning m.read_seq as read`,
    [roomId, accountId, seq],
  )
  return updated?.read
}

/** Moves the read mark of a member back, so that a message and those after it are unread. As `updateRead` otherwise. */
export async function moveReadBack(
  db: Db,
  accountId: string,
  roomId: string,
  seq: number,
): Promise<number | undefined> {
  const [updated] = await db.query<{ read: number }>(
    `update memberships set read_seq = least(read_seq, $3::bigint - 1)
      where room_id = $1 and account_id = $2
      returning read_seq as read`,
    [roomId, accountId, seq],
  )
  return updated?.read
}

/** Sets of which messages a member is notified. */
export async function updateNotify(db: Db, { id, accountId }: Membership, notify: NotifyLevel): Promise<void> {
  await db.query('update memberships set notify = $3 where room_id = $1 and account_id = $2', [id, accountId, notify])
}

const member = `a.id, a.name, a.avatar_key as "avatarKey", a.email is null as "isBot"`

/** The members of a room. */
export function membersOf(db: Db, room: Membership): Promise<MemberRow[]> {
  return db.query<MemberRow>(
    `select ${member}
       from memberships m join accounts a on a.id = m.account_id
      where m.room_id = $1
      order by a.id`,
    [room.id],
  )
}

/** The memberships that exist, each with its member. */
export function membersAmong(
  db: Db,
  memberships: { roomId: string; accountId: string }[],
): Promise<(MemberRow & { roomId: string })[]> {
  return db.query<MemberRow & { roomId: string }>(
    `select m.room_id as "roomId", ${member}
       from unnest($1::uuid[], $2::uuid[]) as asked (room_id, account_id)
       join memberships m using (room_id, account_id) join accounts a on a.id = m.account_id
      order by m.room_id, a.id`,
    [memberships.map(({ roomId }) => roomId), memberships.map(({ accountId }) => accountId)],
  )
}
