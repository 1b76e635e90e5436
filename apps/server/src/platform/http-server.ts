import { createServer, type RequestListener, type Server } from 'node:http'
import type { Log } from './log.js'

const patience = {
  /** For the whole of a request's headers, from the first byte of the connection on. */
  headersMs: 10_000,
  /** For a request with its body. */
  requestMs: 60_000,
  /** Without a byte in either direction, while an answer is under way. */
  silenceMs: 30_000,
  /** Between two requests. Longer than the proxies in front wait, so that none sends into a connection that is just being closed. */
  keepAliveMs: 75_000,
  checkEveryMs: 2_000,
}

/** Node's HTTP server, which cuts off whoever sends too slowly, takes nothing of an answer, or asks for an upgrade that nobody grants. */
export function createHttpServer(listener: RequestListener, log: Log, limits = patience): Server {
  const { headersMs, requestMs, silenceMs, keepAliveMs, checkEveryMs } = limits
  const timeouts = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: checkEveryMs,
  }
  const server = createServer(timeouts, (req, res) => {
    res.on('timeout', () => {
      log.warn({ path: req.url?.split('?')[0] }, 'cut off: nothing was sent or taken for a while')
      req.socket.destroy()
    })
    listener(req, res)
  })
  server.timeout = silenceMs
  // Node stops watching a connection once it asks for an upgrade. A WebSocket takes this off and has pings of its own.
  server.on('upgrade', (req) => void req.socket.setTimeout(silenceMs, () => req.socket.destroy()))
  return server
}
