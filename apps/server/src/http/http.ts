import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import serveCompressed from 'express-static-gzip'
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

/** Does this host, as in a URL or in HOST, mean this machine only? */
export function isLoopback(host: string): boolean {
  return /^((localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?|::1)$/i.test(host)
}

/**
 * Without PUBLIC_URL the chat does not know its own name. It then accepts only requests for names of this machine:
 * otherwise another site could point its name here (DNS rebinding), and its pages would count as pages of the chat.
 */
function createHostCheck(publicUrl: string | null): CheckOrigin {
  return ({ host = '' }) => {
    if (publicUrl !== null || isLoopback(host)) return
    throw new ChatError(
      'localhost_only',
      'This chat answers to localhost only. For another name set PUBLIC_URL to the address that people type.',
    )
  }
}

/**
 * A request that changes something must come from a page of the chat. Browsers send the header Origin and pages cannot
 * forge it, so no other site can act in the name of a user.
 */
export function createOriginCheck(publicUrl: string | null): CheckOrigin {
  const checkHost = createHostCheck(publicUrl)
  return ({ origin, host }) => {
    checkHost({ host })
    const page = publicUrl === null && origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined
    const own =
      publicUrl === null ? page?.host === host && /^https?:$/.test(page?.protocol ?? '') : origin === publicUrl
    if (!own) throw new ChatError('foreign_origin', 'This request does not come from the chat itself.')
  }
}

/** The browser client renders into it. */
const shell = '    <div id="app"></div>\n    <noscript>Chat needs JavaScript.</noscript>'

const nothingHere = `    <main class="page">
      <h1>There is nothing here.</h1>
      <p><a href="/">Back to the rooms</a></p>
    </main>`

const pages = ['/', '/sign-in', '/sign-up', '/profile', '/rooms/:id', '/rooms/:id/:seq']

/** The Express app: middleware, health checks, routers, pages and the error handler, in this order. */
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

  // With nginx in front, these requests do not arrive here. Assets of other releases have their own route.
  app.get('/assets/config.json', (_req, res) => void res.set('cache-control', 'no-cache').json(config.web))
  app.use(
    '/assets',
    serveCompressed(assetsDirectory, {
      enableBrotli: true,
      orderPreference: ['br'],
      index: false,
      serveStatic: { cacheControl: false, redirect: false, setHeaders: letHashedNamesBeKept },
    }),
  )

  app.use((req, _res, next) => {
    if (!['GET', 'HEAD', 'OPTIONS'].includes(req.method)) checkOrigin(req.headers)
    next()
  })
  const onError = answerErrors(createFaults(log))
  // A session is saved while the response is sent. The next middleware cannot answer an error then, and Express would print it.
  const withSession: RequestHandler = (req, res, next) =>
    void sessions.middleware(req, res, (error: unknown) =>
      res.headersSent ? onError(error, req, res, () => undefined) : next(error),
    )
  // Pages need no session, so they are served even when sessions are out of reach.
  app.use(['/api', '/mailbox', '/version'], withSession, express.json({ limit: '64kb' }))
  // The vulnerabilities of a release may be public, so only people who are signed in see the version.
  app.get('/version', requireAccount(sessions), (_req, res) => void res.json({ version: config.version }))
  for (const router of routers) app.use(router)

  app.get(pages, async (_req, res) => {
    res
      .set('cache-control', 'no-cache')
      .type('html')
      .send(await renderPage({ title: 'Chat', body: shell, script: true }))
  })
  app.use(async (req, res) => {
    // Programs get the error as JSON. People who mistyped a URL get a page with a link.
    if (req.accepts(['json', 'html']) !== 'html') throw new ChatError('nothing_here', 'There is nothing here.')
    res
      .status(404)
      .type('html')
      .send(await renderPage({ title: 'Nothing here', body: nothingHere }))
  })
  app.use(onError)
  return app
}

/** A file with a content hash in its name never changes. */
function letHashedNamesBeKept(res: { setHeader: (name: string, value: string) => unknown }, path: string): void {
  res.setHeader(
    'cache-control',
    /\.[0-9a-f]{20}(\.\w+)+$/.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
  )
}

function logRequests({ production }: Config, log: Log): RequestHandler {
  // Log lines per minute for the refused requests of one client. Each successful request has a line.
  const most = 100
  const count = createCount({
    most,
    onRest: (_address, rest) => log.warn({ rest }, 'more requests of one client were refused'),
  })
  return pinoHttp({
    logger: log,
    // Use the id of the proxy when it is valid, so that the logs of both have the same id. The client gets it too.
    genReqId(req, res) {
      const given = req.headers['x-request-id']
      const id = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
      res.setHeader('x-request-id', id)
      return id
    },
    // Log paths without their query, no headers and no bodies, so that the log contains no secrets.
    serializers: {
      req: ({ method, raw }: { method: string; raw: Request }) => ({
        method,
        path: raw.originalUrl.split('?')[0]?.slice(0, 200),
      }),
      res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
    },
    quietReqLogger: true,
    autoLogging: { ignore: ({ url = '' }) => /^\/(healthz|readyz)$/.test(url) },
    // The error handler logs the error itself, on its own line.
    customErrorObject: (_req, res: { statusCode: number }, _error, line: object) => ({ ...line, err: undefined, res }),
    customLogLevel(req, res, error) {
      if (res.statusCode >= 400 && count(visitorAt((req as Request).ip)) > most) return 'silent'
      // The output of npm start must keep the URL and the demo passwords visible.
      return error !== undefined || res.statusCode >= 500 ? 'error' : production ? 'info' : 'debug'
    },
  })
}

/** Makes the function that sets the security headers of every response, of Express and of Socket.IO. */
export function createSecurityHeaders({
  publicUrl,
  cdnPrefix,
}: Config): (req: IncomingMessage, res: ServerResponse) => void {
  const tls = publicUrl?.startsWith('https:') ?? false
  const pictures = cdnPrefix === null ? [] : [new URL(cdnPrefix).origin]
  // Safari applies 'self' to http(s) only, so the origin of the WebSocket is listed too.
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
    // For this host only: its subdomains may belong to other applications, or have no certificate.
    strictTransportSecurity: tls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
  })
  return (req, res) => set(req, res, () => undefined)
}

/** The error handler: answers every error, and logs faults and outages once. Errors of the client are not logged here. */
export function answerErrors(sayFault: SayFault): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    const known = fromParser(error) ?? error
    const body = bodyOf(known)
    if (body.code === 'fault' || body.code === 'unavailable') sayFault({ err: known, reqId: req.id }, 'request failed')
    if (res.headersSent) {
      // An incomplete response must not look complete, so close the connection. After a complete one, only the session failed.
      if (!res.writableEnded) req.socket.destroy()
      return next()
    }
    if (known instanceof ChatError && known.retryAfterSeconds !== undefined)
      res.set('retry-after', String(known.retryAfterSeconds))
    res.status(statusOf(body.code)).json({ error: body })
  }
}

/** The body parsers and static files of Express throw errors with a `status`. */
function fromParser(error: unknown): ChatError | undefined {
  const status = error instanceof Error ? (error as { status?: unknown }).status : undefined
  if (error instanceof ChatError || typeof status !== 'number' || status >= 500) return undefined
  if (status === 413) return new ChatError('body_too_large', 'This is too large.')
  if (status === 404) return new ChatError('nothing_here', 'There is nothing here.')
  if (status === 415) return new ChatError('unknown_content', 'This kind of content is not understood.')
  return new ChatError('malformed', 'The request could not be read.')
}
