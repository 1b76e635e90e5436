import session from 'express-session'
import type { Database } from '../platform/db.js'
import { createLoader } from '../platform/loader.js'

/** express-session's store on PostgreSQL, for a chat without Redis. */
export class PostgresSessionStore extends session.Store {
  constructor(
    private readonly db: Database,
    private readonly ttlSeconds: number,
  ) {
    super()
  }

  private readonly find = createLoader<string, session.SessionData | null>({
    load: async (sids) => {
      const found = await this.findMany(sids)
      return sids.map((sid) => found.get(sid) ?? null)
    },
  })

  override get(sid: string, callback: (error: unknown, session?: session.SessionData | null) => void) {
    this.find(sid).then((data) => callback(null, data), callback)
  }

  /** The data of those sessions that exist, by id. */
  async findMany(sids: string[]): Promise<Map<string, session.SessionData>> {
    const rows = await this.db.query<{ id: string; data: session.SessionData }>(
      'select id, data from sessions where id = any($1) and expires_at > now()',
      [sids],
    )
    return new Map(rows.map(({ id, data }) => [id, data]))
  }

  override set(sid: string, data: session.SessionData, callback?: (error?: unknown) => void) {
    this.run(
      `insert into sessions (id, data, expires_at) values ($1, $2, now() + make_interval(secs => $3))
       on conflict (id) do update set data = excluded.data, expires_at = excluded.expires_at`,
      [sid, JSON.stringify(data), this.ttlSeconds],
      callback,
    )
  }

  override touch(sid: string, _data: session.SessionData, callback?: (error?: unknown) => void) {
    // Every request touches its session, so write at most once a minute.
    this.run(
      `update sessions set expires_at = now() + make_interval(secs => $2)
        where id = $1 and expires_at < now() + make_interval(secs => $2 - 60)`,
      [sid, this.ttlSeconds],
      callback,
    )
  }

  override destroy(sid: string, callback?: (error?: unknown) => void) {
    this.run('delete from sessions where id = $1', [sid], callback)
  }

  private run(sql: string, parameters: unknown[], callback?: (error?: unknown) => void) {
    this.db.query(sql, parameters).then(
      () => callback?.(),
      (error: unknown) => callback?.(error),
    )
  }
}

/** Deletes the expired sessions. Returns the number of sessions. */
export async function deleteExpiredSessions(db: Database): Promise<number> {
  const gone = await db.query('delete from sessions where expires_at <= now() returning id')
  return gone.length
}
