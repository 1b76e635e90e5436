import type { Db } from '../platform/db.js'

/** An account that was last seen longer ago counts as offline. */
const presentSeconds = 60

/** Stores that these accounts are connected to this replica now. Skips deleted accounts. */
export async function upsertPresence(db: Db, accountIds: string[], replica: string): Promise<void> {
  await db.query(
    `insert into presence (account_id, replica, seen_at)
     select id, $2, now() from accounts where id = any($1::uuid[])
     on conflict (account_id, replica) do update set seen_at = excluded.seen_at`,
    [accountIds, replica],
  )
}

/** Stores that these accounts are connected to this replica now. Returns those that were connected to no replica before. */
export async function noteArrivals(db: Db, accountIds: string[], replica: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `with known as (
       select account_id from presence where account_id = any($1::uuid[]) and seen_at > now() - make_interval(secs => $3)
     ), noted as (
       insert into presence (account_id, replica, seen_at)
       select id, $2, now() from accounts where id = any($1::uuid[])
       on conflict (account_id, replica) do update set seen_at = excluded.seen_at
       returning account_id
     )
     select account_id as id from noted where account_id not in (select account_id from known) order by account_id`,
    [accountIds, replica, presentSeconds],
  )
  return rows.map(({ id }) => id)
}

/** Stores that these accounts are not connected to this replica any more. Returns those that are connected to no other replica. */
export async function noteDepartures(db: Db, accountIds: string[], replica: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `with gone as (delete from presence where account_id = any($1::uuid[]) and replica = $2 returning account_id)
     select account_id as id from gone
      where not exists (
        select from presence p
         where p.account_id = gone.account_id and p.replica <> $2 and p.seen_at > now() - make_interval(secs => $3))
      order by account_id`,
    [accountIds, replica, presentSeconds],
  )
  return rows.map(({ id }) => id)
}

/** Those of the accounts that are connected to any replica. */
export async function onlineAmong(db: Db, accounts: { id: string }[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>(
    `select distinct account_id as id from presence
      where account_id = any($1::uuid[]) and seen_at > now() - make_interval(secs => $2)`,
    [accounts.map(({ id }) => id), presentSeconds],
  )
  return new Set(rows.map(({ id }) => id))
}
