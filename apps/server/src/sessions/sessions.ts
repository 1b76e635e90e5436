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
    /** When the session began, in milliseconds since 1970. */
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

/** Cookie sessions, for HTTP requests and for the handshake of a socket. */
export function createSessions({ config, db, redis, accounts, news }: SessionsOptions) {
  const { ttlSeconds, maxAgeSeconds, secrets } = config.sessions
  // With the prefix __Host- browsers demand Secure, Path=/ and no Domain, so other hosts of the domain cannot set this cookie.
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
    // TLS ends at the proxy. Its header is trusted, but it only decides whether the cookie is sent.
    proxy: secure,
    // The browser gets the cookie once, so the cookie lasts as long as a session can last.
    cookie: { ...cookie, maxAge: maxAgeSeconds * 1000 },
  })

  /** Is the session valid? A new password ends it, and so does `maxAgeSeconds`, however busy the session is. */
  function isCurrent(
    { epoch, begunAt = Date.now() }: Partial<session.SessionData>,
    sessionEpoch: number | undefined,
  ): boolean {
    return sessionEpoch === epoch && Date.now() < begunAt + maxAgeSeconds * 1000
  }

  /** The account of a session, or undefined when the session has no account or has ended. */
  async function accountOf(of: Session | undefined): Promise<ChatAccount | undefined> {
    if (of?.accountId === undefined) return undefined
    // Sessions of the previous release lack `begunAt`. Their age counts from now, and this request saves it.
    of.begunAt ??= Date.now()
    const account = await accounts.find(of.accountId)
    return account !== undefined && isCurrent(of, account.sessionEpoch) ? account : undefined
  }

  /** Closes the sockets of an ended session, and stores its end for replicas that cannot reach Redis. */
  async function tellEnded(sessionId: string): Promise<void> {
    news.send({ type: 'session-ended', sessionId })
    if (redis !== null) await noteEnded(db, sessionId)
  }

  return {
    middleware,
    accountOf,

    /** Begins a session for an account under a new id, so that a planted session id is useless. Ends the previous session. */
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

    /** Ends the session of a request, its sockets and its cookie. */
    async end(req: Request, res: Response): Promise<void> {
      const { id, accountId } = req.session
      await promisify(req.session.destroy.bind(req.session))()
      res.clearCookie(name, cookie)
      if (accountId !== undefined) await tellEnded(id)
    },

    /** Which of these sessions have ended? For sockets, which outlive the request that checked their session. */
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

/** Refuses requests without a signed-in account. Handlers get the account with `signedIn(res)`. */
export function requireAccount(sessions: Sessions): RequestHandler {
  return async (req, res, next) => {
    const account = await sessions.accountOf(req.session)
    if (account === undefined) throw new ChatError('signed_out', 'Please sign in.')
    res.locals.account = account
    next()
  }
}

/** The account that `requireAccount` has let pass. @throws Error for a route that has no `requireAccount` in front of it. */
export function signedIn({ locals }: { locals: { account?: ChatAccount } }): ChatAccount {
  if (locals.account === undefined) throw new Error('This route needs requireAccount in front of it.')
  return locals.account
}
