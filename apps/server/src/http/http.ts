import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Router,
} from 'express'
import helmet from 'helmet'
import { pinoHttp } from 'pino-http'
import type { Config } from '../config.js'
import { assetsDirectory, renderPage } from './shell.js'
import { bodyOf, ChatError, statusOf } from '../platform/errors.js'
import { createCount, createFaults, type SayFault } from '../platform/faults.js'
import { visitorAt } from '../platform/limiter.js'
import type { Log } from '../platform/log.js'
import { requireAccount, type Sessions } from '../sessions/sessions.js'

interface HttpOptions {
  config: Config
  log: Log
  sessions: Sessions
  checkOrigin: CheckOrigin
  routers: Router[]
  isReady: () => Promise<boolean>
}

export type CheckOrigin = (headers: { origin?: string | undefined; host?: string | undefined }) => void

/** Can only this machine be meant by a host, as it stands in an address or in HOST? */
export function isLoopback(host: string): boolean {
  return /^((localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?|::1)$/i.test(host)
}

/**
 * Without PUBLIC_URL the chat does not know its own name and believes the request, but only what means this machine: a
 * foreign name that was led here (DNS rebinding) would make pages of its own out of foreign ones.
 */
function createHostCheck(publicUrl: string | null): CheckOrigin {
  return ({ host = '' }) => {
    if (publicUrl !== null || isLoopback(host)) return
    throw new ChatError(
      'forbidden',
      'This chat answers to localhost only. For another name set PUBLIC_URL to the address that people type.',
    )
  }
}

/**
 * Whoever changes something says where the request comes from, and it must be our own pages: browsers send Origin by
 * themselves and no page can forge it, so no other site can act in somebody's name.
 */
export function createOriginCheck(publicUrl: string | null): CheckOrigin {
  const checkHost = createHostCheck(publicUrl)
  return ({ origin, host }) => {
    checkHost({ host })
    const page = publicUrl === null && origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined
    const own =
      publicUrl === null ? page?.host === host && /^https?:$/.test(page?.protocol ?? '') : origin === publicUrl
    if (!own) throw new ChatError('forbidden', 'This request does not come from the chat itself.')
  }
}

/** The browser client fills it. */
const shell = '    <div id="app"></div>\n    <noscript>Chat needs JavaScript.</noscript>'

const nothingHere = `    <main class="page">
      <h1>There is nothing here.</h1>
      <p><a href="/">Back to the rooms</a></p>
    </main>`

const pages = ['/', '/sign-in', '/sign-up', '/profile', '/rooms/:id', '/rooms/:id/:seq']

/** Middleware in order, routers, health, pages, the one error handler. */
export function createHttp({ config, log, sessions, checkOrigin, routers, isReady }: HttpOptions): Express {
  const app = express()
  app.set('trust proxy', config.trustedProxies)
  app.disable('x-powered-by')
  app.disable('etag')

  const checkHost = createHostCheck(config.publicUrl)
  app.use(['/api', '/version'], (_req, res, next) => {
    res.set('cache-control', 'no-store')
    next()
  })
  app.use(logRequests(config, log), (req, _res, next) => {
    checkHost(req.headers)
    next()
  })

  app.get('/healthz', (_req, res) => void res.type('text').send('ok\n'))
  app.get('/readyz', async (_req, res) => {
    const ready = await isReady()
    res
      .status(ready ? 200 : 503)
      .type('text')
      .send(ready ? 'ready\n' : 'not ready\n')
  })

  // Where there is an nginx, it answers these before a request gets here. Assets of other versions have a route of their own.
  app.get('/assets/config.json', (_req, res) => void res.set('cache-control', 'no-cache').json(config.web))
  app.use(
    '/assets',
    express.static(assetsDirectory, { cacheControl: false, redirect: false, setHeaders: letHashedNamesBeKept }),
  )

  app.use((req, _res, next) => {
    if (!['GET', 'HEAD', 'OPTIONS'].includes(req.method)) checkOrigin(req.headers)
    next()
  })
  const onError = answerErrors(createFaults(log))
  // A session is saved with its answer. What fails then comes too late for the layers behind: Express would print it.
  const withSession: RequestHandler = (req, res, next) =>
    void sessions.middleware(req, res, (error: unknown) =>
      res.headersSent ? onError(error, req, res, () => undefined) : next(error),
    )
  // Pages come without a session, so they still come when sessions are out of reach.
  app.use(['/api', '/mailbox', '/version'], withSession, express.json({ limit: '64kb' }))
  // Which faults a release has is public knowledge: strangers need not know which release it is.
  app.get('/version', requireAccount(sessions), (_req, res) => void res.json({ version: config.version }))
  for (const router of routers) app.use(router)

  app.get(pages, async (_req, res) => {
    res
      .set('cache-control', 'no-cache')
      .type('html')
      .send(await renderPage({ title: 'Chat', body: shell, script: true }))
  })
  app.use(async (req, res) => {
    // Programs get the error as JSON; people who mistyped an address get a way back.
    if (req.accepts(['json', 'html']) !== 'html') throw new ChatError('not_found', 'There is nothing here.')
    res
      .status(404)
      .type('html')
      .send(await renderPage({ title: 'Nothing here', body: nothingHere }))
  })
  app.use(onError)
  return app
}

/** A name with a hash in it will never stand for anything else. */
function letHashedNamesBeKept(res: { setHeader: (name: string, value: string) => unknown }, path: string): void {
  res.setHeader('cache-control', /\.[0-9a-f]{20}\.\w+$/.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache')
}

function logRequests({ production }: Config, log: Log): RequestHandler {
  // Whoever does nothing but wrong gets this many lines a minute; what is done right has one each.
  const most = 100
  const count = createCount({
    most,
    onRest: (_address, rest) => log.warn({ rest }, 'more refused requests of one client'),
  })
  return pinoHttp({
    logger: log,
    // Taken from the proxy when it looks like an id, so that a line can be followed through; echoed to the client.
    genReqId(req, res) {
      const given = req.headers['x-request-id']
      const id = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
      res.setHeader('x-request-id', id)
      return id
    },
    // Paths without their query, no headers, no bodies: nothing secret can get in.
    serializers: {
      req: ({ method, raw }: { method: string; raw: Request }) => ({
        method,
        path: raw.originalUrl.split('?')[0]?.slice(0, 200),
      }),
      res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
    },
    quietReqLogger: true,
    autoLogging: { ignore: ({ url = '' }) => /^\/(healthz|readyz)$/.test(url) },
    // The reason of a fault has its own line, written where it was caught.
    customErrorObject: (_req, res: { statusCode: number }, _error, line: object) => ({ ...line, err: undefined, res }),
    customLogLevel(req, res, error) {
      if (res.statusCode >= 400 && count(visitorAt((req as Request).ip)) > most) return 'silent'
      // With npm start the address and the passwords stay in sight.
      return error !== undefined || res.statusCode >= 500 ? 'error' : production ? 'info' : 'debug'
    },
  })
}

/** Sets the headers that every answer has, whoever gives it. */
export function createSecurityHeaders({
  publicUrl,
  cdnPrefix,
}: Config): (req: IncomingMessage, res: ServerResponse) => void {
  const tls = publicUrl?.startsWith('https:') ?? false
  const pictures = cdnPrefix === null ? [] : [new URL(cdnPrefix).origin]
  // Safari takes 'self' for http(s) only, so the WebSocket's own origin is named.
  const socket = publicUrl === null ? ['ws:'] : [publicUrl.replace(/^http/, 'ws')]
  const set = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'img-src': ["'self'", 'data:', 'blob:', ...pictures],
        'connect-src': ["'self'", ...socket],
        'frame-ancestors': ["'none'"],
        'base-uri': ["'none'"],
        'form-action': ["'self'"],
      },
    },
    // This host alone: names below it may be somebody else's, or have no certificate.
    strictTransportSecurity: tls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
  })
  return (req, res) => set(req, res, () => undefined)
}

/** What people did wrong is only their business; a fault is logged here, once. */
export function answerErrors(sayFault: SayFault): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const known = fromParser(error) ?? error
    const body = bodyOf(known)
    if (body.code === 'fault' || body.code === 'unavailable') sayFault({ err: known, reqId: req.id }, 'request failed')
    if (res.headersSent) {
      // Half an answer must not look like a whole one. A whole one is on its way, as when only the session could not be kept alive.
      if (!res.writableEnded) req.socket.destroy()
      return next()
    }
    if (known instanceof ChatError && known.retryAfterSeconds !== undefined)
      res.set('retry-after', String(known.retryAfterSeconds))
    res.status(statusOf(body.code)).json({ error: body })
  }
}

/** Express's body parsers and static files throw errors with a `status` of their own. */
function fromParser(error: unknown): ChatError | undefined {
  const status = error instanceof Error ? (error as { status?: unknown }).status : undefined
  if (error instanceof ChatError || typeof status !== 'number' || status >= 500) return undefined
  if (status === 413) return new ChatError('too_large', 'This is too large.')
  if (status === 404) return new ChatError('not_found', 'There is nothing here.')
  if (status === 415) return new ChatError('unsupported_media', 'This kind of content is not understood.')
  return new ChatError('invalid', 'The request could not be read.')
}
