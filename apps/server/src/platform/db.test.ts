import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { startProxy } from '../test/proxy.js'
import { createDatabase } from './db.js'

describe('a database connection that is lost while idle', () => {
  let fresh: FreshDatabase
  beforeAll(async () => {
    fresh = await freshDatabase()
  })
  afterAll(() => fresh.close())

  it('is told without all that pg knows about it, and replaced', async () => {
    const url = new URL(fresh.url)
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    url.host = `127.0.0.1:${proxy.port}`
    const errors: Error[] = []
    const db = createDatabase({ url: url.href, poolSize: 1, onIdleError: (error) => errors.push(error) })
    try {
      await db.query('select 1')
      proxy.cut()
      await eventually(() => expect(errors).toHaveLength(1))
      expect(Object.keys(errors[0] ?? {})).not.toContain('client')
      expect(await db.query('select 2 as two')).toEqual([{ two: 2 }])
    } finally {
      await db.close()
      await proxy.close()
    }
  })
})
