import pg from 'pg'
import { Unavailable } from './errors.js'

/** Runs one statement with `$n` parameters and returns its rows, inside or outside a transaction. */
export interface Db {
  query<Row extends object>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>
}

export interface Database extends Db {
  /**
   * Runs `work` in one transaction: commits when it returns, rolls back when it throws.
   * @throws LockTimeout when a statement waits longer for a lock; what `work` throws.
   */
  transaction<Result>(work: (db: Db) => Promise<Result>, options?: { lockTimeoutMs?: number }): Promise<Result>
  /** Has PostgreSQL answered any statement within the last two seconds? Needs no connection, so it works when all are busy. */
  isAnswering(): boolean
  close(): Promise<void>
}

export interface DatabaseOptions {
  url: string
  /** Maximum number of connections. */
  poolSize: number
  /** Called when an idle connection fails. The pool replaces the connection by itself. */
  onIdleError: (error: Error) => void
}

/** All bigint columns are counters far below 2^53, so they are read as numbers, which JSON can contain. */
const types = new pg.TypeOverrides()
types.setTypeParser(pg.types.builtins.INT8, Number)

// A process that is frozen or cut off in the middle of a transaction keeps its locks until PostgreSQL ends the
// transaction. Said in each transaction, since a pooler refuses settings of a whole connection.
const begin = (lockTimeoutMs: number) => `begin;
set local idle_in_transaction_session_timeout = '3s';
set local lock_timeout = ${lockTimeoutMs};
set local statement_timeout = '10s'`

/**
 * A pool of PostgreSQL connections. Every statement obeys the rules of a transaction pooler (no session state, no
 * LISTEN, no named statements), so it works through PgBouncer and with the embedded database.
 * All methods throw `Unavailable` when PostgreSQL cannot be reached, or has cancelled the statement.
 */
export function createDatabase({ url, poolSize, onIdleError }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    types,
    connectionTimeoutMillis: 5_000,
    query_timeout: 12_000,
    // TCP notices a server that has vanished.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'chat',
  })
  pool.on('error', (error: Error & { client?: unknown }) => {
    delete error.client // the whole connection, which the log would print
    onIdleError(error)
  })

  // The pool listens for errors only while a connection is idle. An error between two statements of a transaction must not
  // end the process: the next statement fails.
  pool.on('connect', (client) => client.on('error', () => undefined))

  let answeredAt = -Infinity
  async function rows<Row extends object>(
    on: pg.Pool | pg.PoolClient,
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]> {
    try {
      const result = await on.query<Row & pg.QueryResultRow>(sql, parameters as unknown[])
      answeredAt = performance.now()
      return result.rows
    } catch (error) {
      if (isTemporary(error)) answeredAt = -Infinity
      throw translated(error)
    }
  }

  return {
    query: (sql, parameters) => rows(pool, sql, parameters),
    async transaction(work, { lockTimeoutMs = 4_000 } = {}) {
      const client = await pool.connect().catch((error: unknown) => Promise.reject(translated(error)))
      let broken: Error | undefined
      try {
        await rows(client, begin(lockTimeoutMs))
        const result = await work({ query: (sql, parameters) => rows(client, sql, parameters) })
        await rows(client, 'commit')
        return result
      } catch (error) {
        // A connection that cannot roll back is in an unknown state, so the pool must not use it again.
        await client.query('rollback').catch((failure: Error) => (broken = failure))
        throw error
      } finally {
        client.release(broken)
      }
    },
    isAnswering: () => performance.now() - answeredAt < 2_000,
    close: () => pool.end(),
  }
}

/** Another transaction kept a lock for longer than this one was ready to wait. */
export class LockTimeout extends Unavailable {}

/**
 * SQLSTATEs of temporary failures, which are not caused by the statement itself: connection lost, no resources left,
 * shutdown, timeout, not the primary any more, conflict with another transaction.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const temporary = /^(08|53|57|25006|25P0[34]|40001|40P01|55P03)/

/** Errors of PostgreSQL itself have an SQLSTATE. Other errors of the library come from the connection, or from a wrong call. */
function isTemporary(error: unknown): boolean {
  return error instanceof pg.DatabaseError ? temporary.test(error.code ?? '') : !(error instanceof TypeError)
}

/** PostgreSQL has refused a row because another one has its unique key. */
export const isDuplicate = (error: unknown): boolean => error instanceof pg.DatabaseError && error.code === '23505'

function translated(error: unknown): unknown {
  if (!isTemporary(error)) return error
  const { code } = error as { code?: unknown }
  if (code === '55P03') return new LockTimeout('Another transaction keeps a lock', error)
  return new Unavailable(
    code === '53100' ? 'The disk of PostgreSQL is full: free some space' : 'PostgreSQL is not available',
    error,
  )
}
