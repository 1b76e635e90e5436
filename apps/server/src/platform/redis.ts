import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, ErrorReply } from 'redis'
import { Unavailable } from './errors.js'
import type { Log } from './log.js'

export type Redis = ReturnType<typeof createRawClient>

export interface RedisConnection {
  client: Redis
  /** Did it answer the last time it was asked? */
  isHealthy(): boolean
  /** Resolves when it can be used for the first time. */
  ready: Promise<void>
  close(): void
}

const askEveryMs = 1_000
const patienceMs = 1_500
// A peer can also freeze while a connection is being opened.
const connectPatienceMs = 5_000

function createRawClient(url: string) {
  return createClient({
    url,
    // A command that cannot be sent now fails now: somebody is waiting for the answer.
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
  /** Called with each new client as soon as it is usable: what belongs to a connection is to be set up again. */
  onReady?: (client: Redis) => void
}

/**
 * A connection that comes back by itself and never hangs for long: the client's own timeout only counts until a command
 * is written, so a frozen Redis is noticed by asking it every second, and the client is given up for a new one.
 * Starting does not wait for Redis.
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
    // It goes on trying by itself; what it says when it is given up is of no interest.
    client.connect().catch(() => undefined)
    return client
  }

  async function watch() {
    let answeredAt = Date.now()
    while (!stopped.signal.aborted) {
      await sleep(askEveryMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined)
      const { isReady } = current
      const answer =
        isReady && (await Promise.race([current.ping().catch(() => false), sleep(patienceMs, false, { ref: false })]))
      if (stopped.signal.aborted) return
      if (answer === 'PONG') {
        setHealthy(true)
        answeredAt = Date.now()
      } else if (isReady || Date.now() - answeredAt > connectPatienceMs) {
        setHealthy(false)
        // Everything in flight fails at once instead of waiting for a peer that may never answer.
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

/** Looks like one client for ever to those who keep it, whichever it is at the moment. Its commands fail with `Unavailable`. */
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

/** Replies that say nothing against the command: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const passing = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF)\b/

/** What Redis itself says is an ErrorReply; other errors of the library are about the connection, or say that time is up. */
function rethrow(error: unknown): never {
  throw error instanceof ErrorReply && !passing.test(error.message)
    ? error
    : new Unavailable('Redis is not available', error)
}
