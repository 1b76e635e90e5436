import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../platform/db.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { costlyNodes } from '../test/plans.js'
import * as queries from './queries.js'

describe('the plans of statements about rooms', () => {
  let fresh: FreshDatabase
  let roomId: string
  let accountId: string

  beforeAll(async () => {
    fresh = await freshDatabase()
    const { db } = fresh
    const accounts = await db.query<{ id: string }>(
      `insert into accounts (name, email, password_hash)
       select 'Person ' || n, 'person' || n || '@example.com', 'x' from generate_series(1, 400) n returning id`,
    )
    accountId = accounts[0]!.id
    const rooms = await db.query<{ id: string }>(
      `insert into rooms (name, kind, head) select 'Room ' || n, 'public', 20 from generate_series(1, 1000) n returning id`,
    )
    roomId = rooms[0]!.id
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
