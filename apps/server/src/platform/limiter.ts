import ipaddr from 'ipaddr.js'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { ChatError } from './errors.js'
import type { Log } from './log.js'
import type { Redis } from './redis.js'

/** At most `points` attempts in `seconds`. */
export interface Limit {
  points: number
  seconds: number
}

export interface Limiter {
  /**
   * Counts an attempt. The first refusal of a key in each period is logged, with the fields of `about`.
   * @throws ChatError `too_many_attempts` after too many attempts.
   */
  take(key: string, about: object): Promise<void>
  /** Takes back one counted attempt. */
  giveBack(key: string): Promise<void>
}

/** Replicas share the counter through Redis when there is one. While Redis is out of reach, each replica counts alone. */
export function createCounter(name: string, { points, seconds }: Limit, redis: Redis | null) {
  const memory = new RateLimiterMemory({ keyPrefix: name, points, duration: seconds })
  return redis === null
    ? memory
    : new RateLimiterRedis({
        storeClient: redis,
        useRedisPackage: true,
        keyPrefix: `limit:${name}`,
        points,
        duration: seconds,
        insuranceLimiter: memory,
      })
}

/** Refuses attempts that come too often. */
export function createLimiter(name: string, limit: Limit, redis: Redis | null, log: Log): Limiter {
  const limiter = createCounter(name, limit, redis)
  return {
    async take(key, about) {
      try {
        await limiter.consume(key)
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        if (refusal.consumedPoints === limit.points + 1) log.warn({ limit: name, ...about }, 'limit reached')
        const wait = Math.ceil(refusal.msBeforeNext / 1000)
        throw new ChatError('too_many_attempts', 'Too many attempts. Please wait a little.', {
          retryAfterSeconds: wait,
        })
      }
    },
    async giveBack(key) {
      await limiter.reward(key)
    },
  }
}

/** The key of one visitor: the IPv4 address in its usual form, or the /64 of the IPv6 address, the least that a customer gets. */
export function visitorAt(address = ''): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return 'octets' in parsed ? parsed.toString() : new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()
}
