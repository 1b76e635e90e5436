import type { Db } from '../platform/db.js'

/** Somebody seen longer ago is away. */
export const presentSeconds = 60

/** Notes that these accounts are connected to this replica now. Accounts deleted meanwhile are passed over. */
export async function upsertPresence(db: Db, accountIds: string[], replica: string): Promise<void> {
  await db.query(
    `insert into presence (account_id, replica, seen_at)
     select id, $2, now() from accounts where id = any($1::uuid[])
     on conflict (account_id, replica) do update set seen_at = excluded.seen_at`,
    [accountIds, replica],
  )
}

export async function deletePresence(db: Db, accountId: string, replica: string): Promise<void> {
  await db.query('delete from presence where account_id = $1 and replica = $2', [accountId, replica])
}

/** Is the account connected to any replica? */
export async function isPresent(db: Db, accountId: string): Promise<boolean> {
  const [row] = await db.query<{ present: boolean }>(
    'select exists (select from presence where account_id = $1 and seen_at > now() - make_interval(secs => $2)) as present',
    [accountId, presentSeconds],
  )
  return row?.present ?? false
}

/** Forgets what replicas that died have left behind. Returns how many rows. */
export async function deleteStalePresence(db: Db): Promise<number> {
  const gone = await db.query(`delete from presence where seen_at < now() - interval '1 hour' returning account_id`)
  return gone.length
}
