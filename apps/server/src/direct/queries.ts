import type { Db } from '../platform/db.js'

/** People who are in a room with the account, and who are no bots. */
const acquainted = `select distinct a.id, a.name, a.avatar_key as "avatarKey"
       from memberships mine
       join memberships theirs using (room_id)
       join accounts a on a.id = theirs.account_id
      where mine.account_id = $1 and a.id <> $1 and a.email is not null`

/** Those of the accounts with whom the account shares a room. */
export function acquaintancesAmong(db: Db, accountId: string, ids: string[]): Promise<{ id: string }[]> {
  return db.query(`${acquainted} and a.id = any($2::uuid[])`, [accountId, ids])
}

/** People with whom the account shares a room, and whose names contain `search`, sorted by name. */
export function acquaintancesNamed(
  db: Db,
  accountId: string,
  search: string,
  limit: number,
): Promise<{ id: string; name: string; avatarKey: string | null }[]> {
  return db.query(
    `${acquainted} and strpos(lower(a.name), lower($2)) > 0
      order by a.name, a.id limit $3`,
    [accountId, search, limit],
  )
}

/**
 * The direct conversation of these people, who are sorted by id, and those of them who were not in it before. When two
 * requests create it at once, one of them waits for the other, and both get the same one.
 */
export async function openDirect(
  db: Db,
  createdBy: string,
  people: string[],
): Promise<{ roomId: string; joined: string[] }> {
  await db.query(
    `insert into rooms (kind, people, created_by) values ('direct', $1, $2) on conflict (people) do nothing`,
    [people, createdBy],
  )
  const joined = await db.query<{ accountId: string }>(
    `insert into memberships (room_id, account_id)
     select r.id, a.id from rooms r join accounts a on a.id = any(r.people) where r.people = $1::uuid[]
     on conflict do nothing
     returning account_id as "accountId"`,
    [people],
  )
  const [room] = await db.query<{ id: string }>('select id from rooms where people = $1::uuid[]', [people])
  return { roomId: room!.id, joined: joined.map(({ accountId }) => accountId) }
}
