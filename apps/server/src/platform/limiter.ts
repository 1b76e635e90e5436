import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Limit } from '../config.js'
import { ChatError } from './errors.js'
import type { Redis } from './redis.js'

/** Counts attempts by key. @throws ChatError `rate_limited` once there were too many. */
export interface Limiter {
  take(key: string): Promise<void>
}

/** Shared between replicas through Redis when there is one; when Redis is out of reach each replica counts alone. */
export function createLimiter(name: string, { points, seconds }: Limit, redis: Redis | null): Limiter {
  const memory = new RateLimiterMemory({ keyPrefix: name, points, duration: seconds })
  const limiter =
    redis === null
      ? memory
      : new RateLimiterRedis({ storeClient: redis, useRedisPackage: true, keyPrefix: `limit:${name}`, points, duration: seconds, insuranceLimiter: memory })
  return {
    async take(key) {
      try {
        await limiter.consume(key)
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        const wait = Math.ceil(refusal.msBeforeNext / 1000)
        throw new ChatError('rate_limited', 'Too many attempts. Please wait a little.', wait)
      }
    },
  }
}
