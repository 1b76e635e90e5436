import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import type { Log } from './log.js'

export type Redis = ReturnType<typeof createRawClient>

export interface RedisConnection {
  client: Redis
  /** Did it answer the last time it was asked? */
  isHealthy(): boolean
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
    socket: { connectTimeout: 2_000, reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, 2_000) * (0.5 + Math.random() / 2) },
  })
}

/**
 * A connection that reconnects by itself and never hangs for long: the client's own timeout only counts until a command
 * is written, so a frozen Redis is noticed by asking it every second, and cut off. Starting does not wait for Redis.
 */
export function connectRedis({ url, log }: { url: string; log: Log }): RedisConnection {
  const client = createRawClient(url)
  const stopped = new AbortController()
  let healthy = false

  const say = (now: boolean, error?: unknown) => {
    if (now !== healthy) log[now ? 'info' : 'warn']({ err: error }, now ? 'redis answers' : 'redis does not answer')
    healthy = now
  }
  const open = () => void client.connect().catch((error: unknown) => say(false, error))
  client.on('error', (error: unknown) => say(false, error))
  client.on('ready', () => say(true))

  const watch = async () => {
    let silentSince = Date.now()
    while (!stopped.signal.aborted) {
      await sleep(askEveryMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined)
      const answer = client.isReady && (await Promise.race([client.ping().catch(() => false), sleep(patienceMs, false, { ref: false })]))
      if (stopped.signal.aborted) return
      if (answer === 'PONG') {
        say(true)
        silentSince = Date.now()
      } else if (client.isReady || Date.now() - silentSince > connectPatienceMs) {
        say(false)
        // Everything in flight fails at once instead of waiting for a peer that may never answer.
        client.destroy()
        open()
        silentSince = Date.now()
      }
    }
  }
  open()
  void watch()

  return {
    client,
    isHealthy: () => healthy && client.isReady,
    close() {
      stopped.abort()
      if (client.isOpen) client.destroy()
    },
  }
}
