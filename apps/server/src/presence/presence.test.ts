import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPerson, startChat, type Chat, type Person, type TestSocket } from '../test/chat.js'
import { eventually } from '../test/eventually.js'

describe('presence', () => {
  let chat: Chat
  let ann: Person
  let annSocket: TestSocket
  beforeAll(async () => {
    chat = await startChat()
    ann = await newPerson(chat.url)
    annSocket = await ann.connect()
  })
  afterAll(() => chat.stop())

  it('of many people who connect and disconnect is reported in a few frames, for each of them', async () => {
    const room = await ann.openRoom('public')
    const crowd = await Promise.all(
      Array.from({ length: 25 }, (_, n) => newPerson(chat.url, `Person ${String.fromCharCode(97 + n)}`)),
    )
    await Promise.all(crowd.map((person) => person.join(room.id)))
    const online = new Map<string, boolean>()
    let frames = 0
    annSocket.on('presence:changed', (change) => {
      frames += 1
      online.set(change.accountId, change.online)
    })
    annSocket.on('presences:changed', ({ changes }) => {
      frames += 1
      for (const change of changes) online.set(change.accountId, change.online)
    })
    const all = (isOnline: boolean) => crowd.map(({ account }) => [account.id, isOnline])
    const seen = () => crowd.map(({ account }) => [account.id, online.get(account.id)])

    await Promise.all(crowd.map((person) => person.connect()))
    await eventually(() => expect(seen()).toEqual(all(true)))
    for (const person of crowd) person.leave()
    await eventually(() => expect(seen()).toEqual(all(false)))
    expect(frames).toBeLessThan(25)
  })
})
