import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../platform/db.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { addPeopleAndRooms, costlyNodes } from '../test/plans.js'
import * as queries from './queries.js'

describe('the plans of statements about rooms', () => {
  let fresh: FreshDatabase
  let roomId: string
  let accountId: string

  beforeAll(async () => {
    fresh = await freshDatabase()
    const { db } = fresh
    ;({ accountId, roomId } = await addPeopleAndRooms(db, { people: 400, rooms: 1_000, head: 20 }))
    // Each account is in 200 rooms.
    await db.query(
      `insert into memberships (room_id, account_id)
       select r.id, a.id from accounts a cross join lateral (select id from rooms order by md5(a.id::text || id::text) limit 200) r`,
    )
    await db.query(
      `insert into messages (room_id, seq, id, author_id, body)
       select r.id, n, gen_random_uuid(), $1, 'text' from rooms r, generate_series(1, 20) n`,
      [accountId],
    )
    await db.query('analyze')
  })
  afterAll(() => fresh.close())

  it.each<[string, (db: Db) => Promise<unknown>]>([
    ['the rooms of an account', (db) => queries.roomsOf(db, [accountId])],
    ['a room for an account', (db) => queries.visibleRooms(db, [{ accountId, roomId }])],
    ['the memberships of an account', (db) => queries.membershipsOf(db, [accountId])],
    ['public rooms', (db) => queries.publicRooms(db, accountId, { search: '', after: 'Room 5', limit: 31 })],
    ['moving a read mark', (db) => queries.updateRead(db, accountId, roomId, 3)],
    ['members among accounts', (db) => queries.membersAmong(db, [{ accountId, roomId }])],
  ])('read only the rows they need: %s', async (_name, work) => {
    expect(await costlyNodes(fresh.db, ['messages', 'memberships'], work)).toEqual([])
  })
})
