import { promisify } from 'node:util'
import type { Request, RequestHandler, Response } from 'express'
import session from 'express-session'
import type { Accounts, ChatAccount } from '../accounts/accounts.js'
import type { Config } from '../config.js'
import type { News } from '../live/news.js'
import type { Database } from '../platform/db.js'
import { ChatError } from '../platform/errors.js'
import type { Redis } from '../platform/redis.js'
import { endedOf, noteEnded } from './ended-sessions.js'
import { PostgresSessionStore } from './postgres-session-store.js'
import { RedisSessionStore } from './redis-session-store.js'

declare module 'express-session' {
  interface SessionData {
    accountId: string
    /** `sessionEpoch` of the account when the session began. */
    epoch: number
    /** When it began, in milliseconds since 1970. */
    begunAt: number
  }
}

export type Sessions = ReturnType<typeof createSessions>
export type Session = session.Session & Partial<session.SessionData>

interface SessionsOptions {
  config: Config
  db: Database
  redis: Redis | null
  accounts: Accounts
  news: News
}

/** Cookie sessions: the same for requests and for the handshake of a socket. */
export function createSessions({ config, db, redis, accounts, news }: SessionsOptions) {
  const { ttlSeconds, maxAgeSeconds, secrets } = config.sessions
  // The __Host- prefix makes browsers insist on Secure, Path=/ and no Domain: no neighbouring host can plant a session.
  const secure = config.publicUrl?.startsWith('https:') ?? false
  const name = secure ? '__Host-chat.sid' : 'chat.sid'
  const cookie = { httpOnly: true, sameSite: 'lax', path: '/', secure } as const
  const store =
    redis === null
      ? new PostgresSessionStore(db, ttlSeconds)
      : new RedisSessionStore({ redis, ttlSeconds, endedOf: (sids) => endedOf(db, sids) })

  const middleware: RequestHandler = session({
    store,
    name,
    secret: secrets,
    resave: false,
    saveUninitialized: false,
    // TLS ends at the proxy in front; believing its header only decides whether the cookie is sent at all.
    proxy: secure,
    // The browser gets it once, so it holds until the last day that the session can have.
    cookie: { ...cookie, maxAge: maxAgeSeconds * 1000 },
  })

  /** Has neither a new password nor time ended it? However busy a session is, it gets no older than `maxAgeSeconds`. */
  function isCurrent(
    { epoch, begunAt = Date.now() }: Partial<session.SessionData>,
    sessionEpoch: number | undefined,
  ): boolean {
    return sessionEpoch === epoch && Date.now() < begunAt + maxAgeSeconds * 1000
  }

  /** The account a session belongs to, or undefined when it has none, or is over. */
  async function accountOf(of: Session | undefined): Promise<ChatAccount | undefined> {
    if (of?.accountId === undefined) return undefined
    // The release before did not note it: its sessions begin anew, and are saved with this request.
    of.begunAt ??= Date.now()
    const account = await accounts.find(of.accountId)
    return account !== undefined && isCurrent(of, account.sessionEpoch) ? account : undefined
  }

  /** Closes the sockets of a session that is over, and notes it for those who cannot ask Redis. */
  async function tellEnded(sessionId: string): Promise<void> {
    news.send({ type: 'session-ended', sessionId })
    if (redis !== null) await noteEnded(db, sessionId)
  }

  return {
    middleware,
    accountOf,

    /** Begins a session for an account under a new id, so that one planted before is worth nothing. It ends the one before. */
    async begin(req: Request, account: ChatAccount): Promise<Session> {
      const { id, accountId } = req.session
      await promisify(req.session.regenerate.bind(req.session))()
      req.session.accountId = account.id
      req.session.epoch = account.sessionEpoch
      req.session.begunAt = Date.now()
      await promisify(req.session.save.bind(req.session))()
      if (accountId !== undefined) await tellEnded(id)
      return req.session
    },

    /** Ends the session of a request, with its sockets and its cookie. */
    async end(req: Request, res: Response): Promise<void> {
      const { id, accountId } = req.session
      await promisify(req.session.destroy.bind(req.session))()
      res.clearCookie(name, cookie)
      if (accountId !== undefined) await tellEnded(id)
    },

    /** Which of these sessions are over? Sockets outlive the request that knew. */
    async overOf(sessionIds: string[]): Promise<string[]> {
      const found = await store.findMany(sessionIds)
      const accountIds = new Set([...found.values()].map(({ accountId }) => accountId))
      const epochs = await accounts.sessionEpochs([...accountIds])
      return sessionIds.filter((id) => {
        const data = found.get(id)
        return data === undefined || !isCurrent(data, epochs.get(data.accountId))
      })
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
export function signedIn(res: { locals: Record<string, unknown> }): ChatAccount {
  return res.locals.account as ChatAccount
}
