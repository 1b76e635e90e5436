import type { Db } from '../platform/db.js'

/** A text that is about to be in a room. */
export interface Text {
  roomId: string
  seq: number
  authorId: string
  body: string
}

/** An SQL expression: whom a message names, `Mention[]` as JSON. `m` is its row in the query. */
export const mentionsOfMessage = `case when strpos(m.body, '@') = 0 then '[]' else coalesce(
         (select jsonb_agg(distinct case when n.everyone then jsonb_build_object('id', null, 'name', n.written, 'written', n.written)
                                         else jsonb_build_object('id', p.id, 'name', p.name, 'written', n.written) end)
            from mentions n join accounts p on p.id = n.account_id
           where n.room_id = m.room_id and n.seq = m.seq), '[]') end`

/** Removes whom a message has named. */
export async function deleteMentions(db: Db, roomId: string, seq: number): Promise<void> {
  await db.query('delete from mentions where room_id = $1 and seq = $2', [roomId, seq])
}

/** Members whose names may be in the texts. `nth` is the place of the text, from 1. */
export function membersNamedIn(db: Db, texts: Text[]): Promise<{ nth: number; id: string; name: string }[]> {
  return db.query(
    `select t.nth, a.id, a.name
       from unnest($1::uuid[], $2::text[]) with ordinality as t (room_id, body, nth)
       join memberships m on m.room_id = t.room_id
       join accounts a on a.id = m.account_id
      where strpos(lower(t.body), '@' || lower(a.name)) > 0
      order by t.nth, a.id`,
    [texts.map(({ roomId }) => roomId), texts.map(({ body }) => body)],
  )
}

/** Names all members in the rooms that the authors have created, for those who are not named already. */
export function insertForEveryone(db: Db, texts: Text[]): Promise<{ roomId: string; seq: number }[]> {
  return db.query(
    `with inserted as (
       insert into mentions (room_id, seq, account_id, written, everyone)
       select t.room_id, t.seq, m.account_id, 'room', true
         from unnest($1::uuid[], $2::bigint[], $3::uuid[]) as t (room_id, seq, author_id)
         join rooms r on r.id = t.room_id and r.created_by = t.author_id
         join memberships m on m.room_id = t.room_id and m.account_id <> t.author_id
       on conflict do nothing
       returning room_id, seq
     )
     select distinct room_id as "roomId", seq from inserted`,
    [texts.map(({ roomId }) => roomId), texts.map(({ seq }) => seq), texts.map(({ authorId }) => authorId)],
  )
}

/** Stores whom texts name: at most one row for each text and person. */
export async function insertMentions(
  db: Db,
  rows: { roomId: string; seq: number; accountId: string; written: string }[],
): Promise<void> {
  const column = <Name extends keyof (typeof rows)[number]>(name: Name) => rows.map((row) => row[name])
  await db.query(
    `insert into mentions (room_id, seq, account_id, written)
     select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[])`,
    [column('roomId'), column('seq'), column('accountId'), column('written')],
  )
}
