import { createServer, type RequestListener, type Server } from 'node:http'
import type { Log } from './log.js'

const patience = {
  /** For receiving all headers of a request. */
  headersMs: 10_000,
  /** For receiving a whole request with its body. */
  requestMs: 60_000,
  /** Without a byte in either direction while a response is being sent. */
  silenceMs: 30_000,
  /** Between two requests. Longer than the timeout of the proxies in front, so that none sends into a closing connection. */
  keepAliveMs: 75_000,
  checkEveryMs: 2_000,
}

/** Node's HTTP server. It cuts off clients that send too slowly, do not read a response, or ask for an unknown upgrade. */
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
      log.warn({ path: req.url?.split('?')[0] }, 'cut off a client that did not send or read for a while')
      req.socket.destroy()
    })
    listener(req, res)
  })
  server.timeout = silenceMs
  // Node applies no timeouts after a request for an upgrade. A WebSocket removes this timeout and has its own pings.
  server.on('upgrade', ({ socket }) => void socket.setTimeout(silenceMs, () => socket.destroy()))
  return server
}
