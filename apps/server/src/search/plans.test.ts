import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { addPeopleAndRooms, costlyNodes } from '../test/plans.js'
import { findMessages, type Wanted } from './queries.js'

describe('the plan of a search', () => {
  let fresh: FreshDatabase
  let account: string
  let room: string

  beforeAll(async () => {
    fresh = await freshDatabase()
    const { db } = fresh
    ;({ accountId: account, roomId: room } = await addPeopleAndRooms(db, { people: 50, rooms: 5, head: 20_000 }))
    await db.query('insert into memberships (room_id, account_id) select r.id, a.id from rooms r, accounts a')
    await db.query(
      `insert into messages (room_id, seq, id, author_id, body, posted_at)
       select r.id, n, gen_random_uuid(), $1, 'everywhere word' || n, now() - make_interval(secs => n)
         from rooms r, generate_series(1, 20000) n`,
      [account],
    )
    await db.query('analyze')
  })
  afterAll(() => fresh.close())

  const any = { roomId: undefined, authorId: undefined, since: undefined, until: undefined }
  const wanted = (some: Partial<Wanted> & { text: string }): Wanted => ({ ...any, ...some })

  it.each<[string, () => Wanted]>([
    ['a rare word', () => wanted({ text: 'word77' })],
    ['a word of every message', () => wanted({ text: 'everywhere' })],
    ['a word of every message, in one room', () => wanted({ text: 'everywhere', roomId: room })],
    [
      'a rare word, of an author and some days',
      () => wanted({ text: 'word77', authorId: account, since: '2026-01-01', until: '2026-12-31' }),
    ],
  ])('reads only rows it needs: %s', async (_name, search) => {
    const tables = ['messages']
    expect(await costlyNodes(fresh.db, tables, (db) => findMessages(db, account, search(), undefined, 20))).toEqual([])
  })
})
