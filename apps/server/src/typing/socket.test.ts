import { expect, it } from 'vitest'
import { newPerson, startChat } from '../test/chat.js'
import { eventually } from '../test/eventually.js'

it('is told to a room at most once a second, and to the next room at once', async () => {
  const chat = await startChat()
  try {
    const [ann, ben] = await Promise.all([newPerson(chat.url, 'Ann'), newPerson(chat.url, 'Ben')])
    const attic = await ann.openRoom('private')
    const cellar = await ann.openRoom('private')
    for (const room of [attic, cellar])
      await ann.ask('PUT', `/api/rooms/${room.id}/members`, { email: ben.account.email })
    const told: string[] = []
    const [annSocket, benSocket] = [await ann.connect(), await ben.connect()]
    benSocket.on('typing:changed', ({ roomId }) => told.push(roomId))
    await Promise.all([attic, attic, cellar].map((room) => annSocket.emitWithAck('typing:start', { roomId: room.id })))
    await eventually(() => expect(told).toContain(cellar.id))
    expect(told).toEqual([attic.id, cellar.id])
  } finally {
    await chat.stop()
  }
})
