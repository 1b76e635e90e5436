import { RedisStore } from 'connect-redis'
import type { RequestHandler } from 'express'
import session from 'express-session'
import type { AccountRow } from '../accounts/queries.js'
import type { Accounts } from '../accounts/accounts.js'
import type { Config } from '../config.js'
import type { Database } from '../platform/db.js'
import { ChatError } from '../platform/errors.js'
import type { Redis } from '../platform/redis.js'
import { PostgresSessionStore } from './postgres-session-store.js'

declare module 'express-session' {
  interface SessionData {
    accountId: string
    /** `sessionEpoch` of the account when the session began. */
    epoch: number
  }
}

export type Sessions = ReturnType<typeof createSessions>
export type Session = session.Session & Partial<session.SessionData>

/** Cookie sessions: the same for requests and for the handshake of a socket. */
export function createSessions({ config, db, redis, accounts }: { config: Config; db: Database; redis: Redis | null; accounts: Accounts }) {
  const { ttlSeconds, secrets } = config.sessions
  // The __Host- prefix makes browsers insist on Secure, Path=/ and no Domain: no neighbouring host can plant a session.
  const secure = config.publicUrl?.startsWith('https:') ?? false
  const store =
    redis === null ? new PostgresSessionStore(db, ttlSeconds) : new RedisStore({ client: redis, prefix: 'session:', ttl: ttlSeconds })

  const middleware: RequestHandler = session({
    store,
    name: secure ? '__Host-chat.sid' : 'chat.sid',
    secret: secrets,
    resave: false,
    saveUninitialized: false,
    // TLS ends at the proxy in front; believing its header only decides whether the cookie is sent at all.
    proxy: secure,
    cookie: { httpOnly: true, sameSite: 'lax', path: '/', secure, maxAge: ttlSeconds * 1000 },
  })

  /** The account a session belongs to, or undefined when it has none, or has been ended by a new password. */
  async function accountOf(of: Session | undefined): Promise<AccountRow | undefined> {
    if (of?.accountId === undefined) return undefined
    const account = await accounts.find(of.accountId)
    return account?.sessionEpoch === of.epoch ? account : undefined
  }

  return {
    middleware,
    accountOf,

    /** Begins a session for an account under a new id, so that one planted before is worth nothing. */
    async begin(req: { session: Session }, account: AccountRow): Promise<Session> {
      await new Promise<void>((resolve, reject) => req.session.regenerate((error) => (error ? reject(error as Error) : resolve())))
      req.session.accountId = account.id
      req.session.epoch = account.sessionEpoch
      await new Promise<void>((resolve, reject) => req.session.save((error) => (error ? reject(error as Error) : resolve())))
      return req.session
    },

    end: (of: Session) => new Promise<void>((resolve, reject) => of.destroy((error) => (error ? reject(error as Error) : resolve()))),

    /** Is a session still there? Sockets outlive the request that knew. */
    async isAlive(sessionId: string): Promise<boolean> {
      const data = await new Promise<session.SessionData | null | undefined>((resolve, reject) => {
        void store.get(sessionId, (error?: unknown, found?: session.SessionData | null) => (error ? reject(error) : resolve(found)))
      })
      return data?.accountId !== undefined && (await accountOf(data as Session)) !== undefined
    },
  }
}

/** Lets only signed-in accounts pass; handlers find theirs with `signedIn(res)`. */
export function requireAccount(sessions: Sessions): RequestHandler {
  return async (req, res, next) => {
    const account = await sessions.accountOf(req.session)
    if (account === undefined) throw new ChatError('unauthenticated', 'Please sign in.')
    res.locals.account = account
    next()
  }
}

/** The account behind `requireAccount`. */
export function signedIn(res: { locals: Record<string, unknown> }): AccountRow {
  return res.locals.account as AccountRow
}
