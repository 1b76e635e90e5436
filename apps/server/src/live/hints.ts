import { randomUUID } from 'node:crypto'
import type { Log } from '../platform/log.js'
import { connectRedis, type RedisConnection } from '../platform/redis.js'

/**
 * Carries hints between replicas. Any hint may be lost: the truth is in PostgreSQL, and a replica that missed a hint
 * finds it there.
 */
export interface Hints {
  /** Sends to every other replica. Never throws, never waits. */
  publish(hint: string): void
  /** Hands over what other replicas publish. One receiver. */
  subscribe(receiver: (hint: string) => void): void
  /** Resolves when hints of others arrive here for the first time. */
  ready: Promise<void>
  /** Are recent hints likely to have arrived, both those sent and those received? */
  isHealthy(): boolean
  close(): void
}

/** For a chat that is one process. */
export function createNoHints(): Hints {
  return {
    publish: () => undefined,
    subscribe: () => undefined,
    ready: Promise.resolve(),
    isHealthy: () => true,
    close: () => undefined,
  }
}

const echoEveryMs = 1_000
const deafAfterMs = 4_000
// Commands that Redis has not answered yet. When there are more, hints are dropped, so that they do not fill the memory.
const inFlightAtMost = 10_000

interface RedisHintsOptions {
  url: string
  publisher: RedisConnection
  log: Log
  channel?: string
}

/**
 * Changes when the form of hints changes. Replicas of two releases then do not hear each other: during a rollout they
 * find out in PostgreSQL what they missed, within two seconds.
 */
const currentChannel = 'chat:hints:2'

/** Redis pub/sub. The subscriber listens for its own messages and connects again when it no longer hears them. */
export function createRedisHints({ url, publisher, log, channel = currentChannel }: RedisHintsOptions): Hints {
  const self = randomUUID()
  let receiver: ((hint: string) => void) | undefined
  let subscriber: RedisConnection | undefined
  let heardAt = 0
  let announce = () => {}
  const ready = new Promise<void>((resolve) => (announce = resolve))
  let inFlight = 0

  const send = (text: string) => {
    if (inFlight >= inFlightAtMost) return
    inFlight += 1
    const done = () => void (inFlight -= 1)
    publisher.client.publish(channel, text).then(done, done)
  }
  const hear = (text: string) => {
    const sender = text.slice(0, self.length)
    const hint = text.slice(self.length)
    if (sender === self) heardAt = Date.now()
    else if (hint !== '') receiver?.(hint)
  }
  const listen = () => {
    subscriber?.close()
    subscriber = connectRedis({
      url,
      log,
      onReady: (client) =>
        void client
          .subscribe(channel, hear)
          .then(announce)
          .catch((error: unknown) => log.warn({ err: error }, 'cannot subscribe')),
    })
    heardAt = Date.now()
  }

  const watch = setInterval(() => {
    send(self)
    // A subscription can be lost without an error when a connection breaks.
    if (subscriber !== undefined && publisher.isHealthy() && Date.now() - heardAt > deafAfterMs) {
      log.warn('hears nothing from redis: subscribing anew')
      listen()
    }
  }, echoEveryMs)
  watch.unref()

  return {
    publish: (hint) => send(self + hint),
    subscribe(handOver) {
      receiver = handOver
      listen()
    },
    ready,
    isHealthy: () => publisher.isHealthy() && (subscriber === undefined || Date.now() - heardAt < deafAfterMs / 2),
    close() {
      clearInterval(watch)
      subscriber?.close()
    },
  }
}
