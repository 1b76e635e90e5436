import { RedisStore } from 'connect-redis'
import type { SessionData } from 'express-session'
import { isOutage } from '../platform/errors.js'
import type { Redis } from '../platform/redis.js'

type Found = (error: unknown, data?: SessionData | null) => void
type Done = (error?: unknown) => void

const prefix = 'session:'
/** Maximum number of keys in one command. */
const keysAtOnce = 500
const rememberedMs = 5 * 60_000

interface RedisSessionStoreOptions {
  redis: Redis
  ttlSeconds: number
  /** Which of these sessions were signed out? Called when Redis is out of reach. */
  endedOf: (sids: string[]) => Promise<Set<string>>
}

/**
 * express-session's store on Redis. It remembers the sessions of the last five minutes. While Redis is out of reach, these
 * sessions stay valid, unless they were signed out on any replica.
 */
export class RedisSessionStore extends RedisStore {
  /** Recent sessions as JSON, the least recently used first. */
  private readonly seen = new Map<string, { text: string; at: number }>()

  constructor(private readonly options: RedisSessionStoreOptions) {
    // With a number instead of a function, the store would use the expiry of the cookie.
    super({ client: options.redis, prefix, ttl: () => options.ttlSeconds })
  }

  override async get(sid: string, callback: Found = () => undefined) {
    try {
      const found = await this.findMany([sid])
      callback(null, found.get(sid) ?? null)
    } catch (error) {
      callback(error)
    }
  }

  override async set(sid: string, data: SessionData, callback?: Done) {
    this.remember(sid, JSON.stringify(data))
    await super.set(sid, data, callback)
  }

  override async touch(sid: string, data: SessionData, callback?: Done) {
    // The response is already being sent, and the next request touches the session again.
    await super.touch(sid, data, (error: unknown) => callback?.(isOutage(error) ? undefined : error))
  }

  override async destroy(sid: string, callback?: Done) {
    this.seen.delete(sid)
    await super.destroy(sid, callback)
  }

  /** The data of those sessions that exist, by id. @throws Unavailable when Redis is out of reach and one is not remembered. */
  async findMany(sids: string[]): Promise<Map<string, SessionData>> {
    const texts = await this.ask(sids).catch((error: unknown) => this.recall(sids, error))
    return new Map([...texts].map(([sid, text]) => [sid, JSON.parse(text) as SessionData]))
  }

  private async ask(sids: string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (let first = 0; first < sids.length; first += keysAtOnce) {
      const some = sids.slice(first, first + keysAtOnce)
      const texts = await this.options.redis.mGet(some.map((sid) => prefix + sid))
      for (const [index, sid] of some.entries()) {
        const text = texts[index]
        if (typeof text === 'string') found.set(sid, text)
        else this.seen.delete(sid)
      }
    }
    for (const [sid, text] of found) this.remember(sid, text)
    return found
  }

  private async recall(sids: string[], error: unknown): Promise<Map<string, string>> {
    const texts = sids.flatMap((sid) => {
      const text = this.seen.get(sid)?.text
      return text === undefined ? [] : [[sid, text] as const]
    })
    if (!isOutage(error) || texts.length < sids.length) throw error
    const ended = await this.options.endedOf(sids)
    const found = new Map(texts.filter(([sid]) => !ended.has(sid)))
    for (const [sid, text] of found) this.remember(sid, text)
    return found
  }

  private remember(sid: string, text: string) {
    this.seen.delete(sid)
    this.seen.set(sid, { text, at: Date.now() })
    for (const [oldest, { at }] of this.seen) {
      if (at > Date.now() - rememberedMs) break
      this.seen.delete(oldest)
    }
  }
}
