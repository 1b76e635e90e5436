import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Message, Person as PublicPerson, Room } from '../contract.js'
import { newPerson, nextNews, startChat, type Chat, type Person } from '../test/chat.js'

describe('direct conversations', () => {
  let chat: Chat
  let ann: Person
  let ben: Person
  let cid: Person
  /** A room in which they meet. */
  let meeting: { id: string }

  beforeAll(async () => {
    chat = await startChat()
    ;[ann, ben, cid] = await Promise.all([
      newPerson(chat.url, 'Ann'),
      newPerson(chat.url, 'Ben'),
      newPerson(chat.url, 'Cid'),
    ])
    meeting = await ann.openRoom('public')
    await Promise.all([ben.join(meeting.id), cid.join(meeting.id)])
  })
  afterAll(() => chat.stop())

  async function newcomer(name: string) {
    const person = await newPerson(chat.url, name)
    await person.join(meeting.id)
    return person
  }
  const begin = (person: Person, ...others: Person[]) =>
    person.ask<Room>('POST', '/api/direct', { people: others.map(({ account }) => account.id) })
  const roomOf = async (person: Person, id: string) =>
    (await person.ask<{ rooms: Room[] }>('GET', '/api/rooms')).body.rooms.find((room) => room.id === id)!

  it('have the name of the other person for each of the two', async () => {
    const { status, body } = await begin(ann, ben)
    expect(status).toBe(200)
    expect(body).toMatchObject({ kind: 'direct', name: 'Ben', joined: true, unread: 0 })
    expect(body.people).toEqual([{ id: ben.account.id, name: 'Ben', avatarUrl: null }])
    expect(await roomOf(ann, body.id)).toEqual(body)
    expect(await roomOf(ben, body.id)).toMatchObject({ name: 'Ann', people: [{ id: ann.account.id }] })
  })

  it('are one for the same people, in any order and when all begin at once', async () => {
    const ids = await Promise.all([
      begin(ann, ben, cid),
      begin(ann, cid, ben),
      begin(ben, ann, cid),
      begin(cid, ben, ann, ann),
    ])
    expect(new Set(ids.map(({ body }) => body.id)).size).toBe(1)
    expect(ids[0].body.name).toBe('Ben, Cid')
    expect(ids[0].body.id).not.toBe((await begin(ann, ben)).body.id)
  })

  it('deliver messages as rooms do, from the first one on', async () => {
    const dora = await newcomer('Dora')
    const [annSocket, doraSocket] = [await ann.connect(), await dora.connect()]
    const { id } = (await begin(ann, dora)).body
    const news = nextNews(doraSocket, 'messages:posted', ({ roomId }) => roomId === id)
    await ann.post(annSocket, id, 'Just you and me.')
    expect((await news).messages[0]).toMatchObject({ seq: 1, body: 'Just you and me.' })
    expect((await roomOf(dora, id)).unread).toBe(1)
  })

  it('cannot be seen or joined by others, and nobody can be added or leave', async () => {
    const { id } = (await begin(ann, ben)).body
    const page = await cid.ask<{ messages: Message[] }>('GET', `/api/rooms/${id}/messages`)
    expect(page.status).toBe(404)
    expect((await cid.ask('PUT', `/api/rooms/${id}/membership`)).status).toBe(404)
    const added = await ann.ask('PUT', `/api/rooms/${id}/members`, { email: cid.account.email })
    expect(added.body).toMatchObject({ error: { reason: 'direct_conversation' } })
    const left = await ann.ask('DELETE', `/api/rooms/${id}/membership`)
    expect(left.body).toMatchObject({ error: { reason: 'direct_conversation' } })
  })

  it('follow a new name', async () => {
    const eve = await newcomer('Eve')
    const { id } = (await begin(ann, eve)).body
    await eve.ask('PATCH', '/api/me', { name: 'Evelyn' })
    expect(await roomOf(ann, id)).toMatchObject({ name: 'Evelyn', people: [{ name: 'Evelyn' }] })
  })

  it('need other people who share a room: bots and strangers are refused alike', async () => {
    const stranger = await newPerson(chat.url, 'Stranger')
    const [bot] = await chat.database.db.query<{ id: string }>('select id from accounts where email is null')
    const refused = async (people: string[]) =>
      (await ann.ask<{ error: { reason: string } }>('POST', '/api/direct', { people })).body.error.reason
    expect(await refused([stranger.account.id])).toBe('no_such_account')
    expect(await refused([bot!.id])).toBe('no_such_account')
    expect(await refused([ann.account.id])).toBe('no_such_account')
    expect(await refused([ben.account.id, stranger.account.id])).toBe('no_such_account')
    expect(await refused([])).toBe('malformed')
  })

  it('can be begun with people who are found by a part of their names, without their email addresses', async () => {
    const { people } = (await ann.ask<{ people: PublicPerson[] }>('GET', '/api/people?search=BE')).body
    expect(people).toEqual([{ id: ben.account.id, name: 'Ben', avatarUrl: null }])
    const all = (await ann.ask<{ people: PublicPerson[] }>('GET', '/api/people')).body.people
    expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(['Ben', 'Cid']))
    expect(all.map(({ id }) => id)).not.toContain(ann.account.id)
  })
})
