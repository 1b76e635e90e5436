import type { Db } from '../platform/db.js'

/** Deletes the rows of replicas that have died. Returns the number of rows. */
export async function deleteStalePresence(db: Db): Promise<number> {
  const gone = await db.query(`delete from presence where seen_at < now() - interval '1 hour' returning account_id`)
  return gone.length
}
