import type { Db } from '../platform/db.js'

/** Forgets what replicas that died have left behind. Returns how many rows. */
export async function deleteStalePresence(db: Db): Promise<number> {
  const gone = await db.query(`delete from presence where seen_at < now() - interval '1 hour' returning account_id`)
  return gone.length
}
