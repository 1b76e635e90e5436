import type { Db } from '../platform/db.js'

/** Stores that a session was signed out. */
export async function noteEnded(db: Db, sessionId: string): Promise<void> {
  await db.query('insert into ended_sessions (id) values ($1) on conflict do nothing', [sessionId])
}

/** Which of these sessions were signed out? Known for the last seven days. */
export async function endedOf(db: Db, sessionIds: string[]): Promise<Set<string>> {
  const rows = await db.query<{ id: string }>('select id from ended_sessions where id = any($1)', [sessionIds])
  return new Set(rows.map(({ id }) => id))
}

/** Deletes entries that are so old that no process remembers the session. Returns the number of entries. */
export async function deleteEndedSessions(db: Db): Promise<number> {
  const gone = await db.query(`delete from ended_sessions where ended_at < now() - interval '7 days' returning id`)
  return gone.length
}
