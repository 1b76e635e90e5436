import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAccounts, type Accounts } from '../accounts/accounts.js'
import { createPeople } from '../accounts/person.js'
import type { Message } from '../contract.js'
import { createMessages, type Messages } from '../messages/messages.js'
import type { Dispatch } from '../live/news.js'
import type { ChatEvent } from '../events/events.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { greeterId, greetingId, greetNewcomer } from './greet-newcomer.js'
import { createRooms, type Rooms } from '../rooms/rooms.js'

let database: FreshDatabase
let accounts: Accounts
let rooms: Rooms
let messages: Messages
let told: Dispatch[]

beforeEach(async () => {
  database = await freshDatabase()
  told = []
  const news = { send: (dispatch: Dispatch) => void told.push(dispatch) }
  const { toPerson } = createPeople({ cdnPrefix: null })
  accounts = createAccounts({ db: database.db })
  rooms = createRooms({ db: database.db, news, toPerson })
  messages = createMessages({ db: database.db, news, rooms, toPerson })
})
afterEach(() => database.close())

describe('greeting a newcomer', () => {
  it('posts a message of the bot, and notifies the room', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    await greet(roomId, ben.id)
    expect(await history(roomId, ann.id)).toMatchObject([
      { seq: 1, author: { id: greeterId, name: 'Greeter' }, body: 'Welcome, Ben!' },
    ])
    expect(told).toContainEqual(expect.objectContaining({ to: [roomId], type: 'messages:posted' }))
  })

  it('happens once when the same event arrives twice', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    await greet(roomId, ben.id)
    await greet(roomId, ben.id)
    expect(await history(roomId, ann.id)).toHaveLength(1)
  })

  it('happens once when the same event arrives many times at once', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    await Promise.all(Array.from({ length: 8 }, () => greet(roomId, ben.id)))
    expect(await history(roomId, ann.id)).toHaveLength(1)
  })

  it('happens once when the greeter dies after it has posted', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    const { post } = messages
    const dying = vi.spyOn(messages, 'post').mockImplementationOnce(async (...message) => {
      await post(...message)
      throw new Error('killed before it could acknowledge')
    })
    await expect(greet(roomId, ben.id)).rejects.toThrow('killed')
    dying.mockRestore()
    await greet(roomId, ben.id)
    expect(await history(roomId, ann.id)).toHaveLength(1)
  })

  it('happens in every room that a person joins, but not again after leaving and joining again', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    const other = await rooms.create(ann.id, { name: `Room ${randomUUID()}`, kind: 'public' })
    await rooms.join(ben.id, other.id)
    await greet(roomId, ben.id)
    await greet(other.id, ben.id)
    await rooms.leave(ben.id, roomId)
    await rooms.join(ben.id, roomId)
    await greet(roomId, ben.id)
    expect(await history(roomId, ann.id)).toHaveLength(1)
    expect(await history(other.id, ann.id)).toHaveLength(1)
  })

  it('does not happen for people who have left, the bot itself, unknown people and unknown rooms', async () => {
    const { roomId, ann, ben } = await benJoinsAnnsRoom()
    const cleo = await signUp('Cleo')
    await greet(roomId, cleo.id)
    await greet(roomId, greeterId)
    await greet(roomId, randomUUID())
    await greet(randomUUID(), ben.id)
    await rooms.leave(ben.id, roomId)
    await greet(roomId, ben.id)
    expect(await history(roomId, ann.id)).toEqual([])
    // The greeter works: it greets a member.
    await greet(roomId, ann.id)
    expect(await history(roomId, ann.id)).toHaveLength(1)
  })

  it('records no event when the bot joins, so that the bot does not greet itself', async () => {
    const { roomId, ben } = await benJoinsAnnsRoom()
    await greet(roomId, ben.id)
    const joined = await database.db.query<{ payload: { accountId: string } }>(
      `select payload from outbox where type = 'member.joined'`,
    )
    expect(joined.map(({ payload }) => payload.accountId)).toEqual([ben.id])
  })
})

describe('the id of a greeting', () => {
  it('is a UUID that depends on the room and the person', () => {
    const [room, person] = [randomUUID(), randomUUID()]
    expect(greetingId(room, person)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(greetingId(room, person)).toBe(greetingId(room, person))
    expect(new Set([greetingId(room, person), greetingId(person, room), greetingId(room, room)]).size).toBe(3)
  })
})

function greet(roomId: string, accountId: string): Promise<void> {
  const event = { id: randomUUID(), type: 'member.joined', payload: { roomId, accountId } } satisfies ChatEvent
  return greetNewcomer({ accounts, rooms, messages })(event)
}

async function benJoinsAnnsRoom() {
  const [ann, ben] = [await signUp('Ann'), await signUp('Ben')]
  const room = await rooms.create(ann.id, { name: `Room ${randomUUID()}`, kind: 'public' })
  await rooms.join(ben.id, room.id)
  return { roomId: room.id, ann, ben }
}

function signUp(name: string) {
  return accounts.signUp({ name, email: `${randomUUID()}@example.com`, password: 'correct horse battery' })
}

async function history(roomId: string, accountId: string): Promise<Message[]> {
  return (await messages.page(accountId, roomId, { after: 0, limit: 100 })).messages
}
