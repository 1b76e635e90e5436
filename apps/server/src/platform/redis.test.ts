import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quiet } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { startProxy, type Proxy } from '../test/proxy.js'
import { Unavailable } from './errors.js'
import { connectRedis, type RedisConnection } from './redis.js'

describe.runIf(process.env.TEST_SESSION_REDIS)('a connection to Redis', () => {
  let proxy: Proxy
  let redis: RedisConnection
  beforeAll(async () => {
    const url = new URL(process.env.TEST_SESSION_REDIS ?? '')
    proxy = await startProxy({ host: url.hostname, port: Number(url.port || 6379) })
    redis = connectRedis({ url: Object.assign(new URL(url), { host: `127.0.0.1:${proxy.port}` }).href, log: quiet })
    await redis.ready
  })
  afterAll(async () => {
    redis.close()
    await proxy.close()
  })

  it.each([
    ['frozen', async () => proxy.freeze()],
    ['cut', async () => proxy.cut()],
    ['gone', () => proxy.refuse()],
  ])('that is %s makes commands fail as unavailable, and comes back', async (_how, damage) => {
    await eventually(() => redis.client.ping())
    const commands = Array.from({ length: 50 }, () => redis.client.get('nothing'))
    await damage()
    commands.push(redis.client.get('nothing'))
    const outcomes = await Promise.allSettled(commands)
    expect(outcomes.at(-1)?.status).toBe('rejected')
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Unavailable)
    }
    await proxy.mend()
    await eventually(() => redis.client.ping())
  })

  it('does not report a wrong command as unavailable', async () => {
    const key = 'test:a list'
    await redis.client.lPush(key, 'one')
    const error: unknown = await redis.client.get(key).catch((error: unknown) => error)
    expect(error).not.toBeInstanceOf(Unavailable)
    expect(error).toMatchObject({ message: expect.stringContaining('WRONGTYPE') as string })
    await redis.client.del(key)
  })
})
