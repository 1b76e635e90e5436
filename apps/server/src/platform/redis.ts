import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, ErrorReply } from 'redis'
import { Unavailable } from './errors.js'
import type { Log } from './log.js'

export type Redis = ReturnType<typeof createRawClient>

export interface RedisConnection {
  client: Redis
  /** Did Redis answer the last ping? */
  isHealthy(): boolean
  /** Resolves when the connection can be used for the first time. */
  ready: Promise<void>
  close(): void
}

const askEveryMs = 1_000
const answerTimeoutMs = 1_500
// Redis can also stop answering while a connection is being opened.
const connectTimeoutMs = 5_000

function createRawClient(url: string) {
  return createClient({
    url,
    // A command that cannot be sent fails at once, because a request waits for it.
    disableOfflineQueue: true,
    commandOptions: { timeout: 1_000 },
    socket: {
      connectTimeout: 2_000,
      reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, 2_000) * (0.5 + Math.random() / 2),
    },
  })
}

interface RedisOptions {
  url: string
  log: Log
  /** Called with each new client when it can be used, to set up again what belongs to a connection. */
  onReady?: (client: Redis) => void
}

/**
 * A connection that reconnects by itself and never hangs for long. The timeout of the client ends when a command is
 * written, so it does not notice a Redis that does not answer. Therefore a ping is sent every second, and a client without
 * an answer is replaced by a new one. Starting does not wait for Redis.
 */
export function connectRedis({ url, log, onReady }: RedisOptions): RedisConnection {
  const stopped = new AbortController()
  let healthy = false
  let announce = () => {}
  const ready = new Promise<void>((resolve) => (announce = resolve))
  let current = open()

  function setHealthy(now: boolean, error?: unknown) {
    if (now !== healthy && !stopped.signal.aborted)
      log[now ? 'info' : 'warn']({ err: error }, now ? 'redis answers' : 'redis does not answer')
    healthy = now
  }

  function open(): Redis {
    const client = createRawClient(url)
    const isCurrent = () => client === current
    client.on('error', (error: unknown) => isCurrent() && setHealthy(false, error))
    client.on('ready', () => {
      if (!isCurrent()) return
      setHealthy(true)
      announce()
      onReady?.(client)
    })
    // The client keeps trying by itself. Errors of a discarded client are ignored.
    client.connect().catch(() => undefined)
    return client
  }

  async function watch() {
    let answeredAt = Date.now()
    while (!stopped.signal.aborted) {
      await sleep(askEveryMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined)
      const { isReady } = current
      const answer =
        isReady &&
        (await Promise.race([current.ping().catch(() => false), sleep(answerTimeoutMs, false, { ref: false })]))
      if (stopped.signal.aborted) return
      if (answer === 'PONG') {
        setHealthy(true)
        answeredAt = Date.now()
      } else if (isReady || Date.now() - answeredAt > connectTimeoutMs) {
        setHealthy(false)
        // All pending commands fail at once and do not wait for an answer that may never come.
        current.destroy()
        current = open()
        answeredAt = Date.now()
      }
    }
  }
  void watch()

  return {
    client: latest(() => current),
    isHealthy: () => healthy && current.isReady,
    ready,
    close() {
      stopped.abort()
      current.destroy()
    },
  }
}

/** Callers keep this object, which always forwards to the current client. Its commands fail with `Unavailable`. */
function latest(client: () => Redis): Redis {
  return new Proxy({} as Redis, {
    get(_target, name) {
      const value: unknown = Reflect.get(client(), name)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const result = (value as (...given: unknown[]) => unknown).apply(client(), given)
        return result instanceof Promise ? result.catch(rethrow) : result
      }
    },
  })
}

/** Replies for temporary failures, which are not caused by the command itself: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const temporary = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF)\b/

/** Errors of Redis itself are an ErrorReply. Other errors of the library come from the connection or from a timeout. */
function rethrow(error: unknown): never {
  throw error instanceof ErrorReply && !temporary.test(error.message)
    ? error
    : new Unavailable('Redis is not available', error)
}
