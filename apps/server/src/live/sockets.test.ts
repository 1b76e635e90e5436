import { once } from 'node:events'
import { Manager } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Room } from '../contract.js'
import { newPerson, startChat, type Chat, type Person } from '../test/chat.js'

describe('sockets', () => {
  let chat: Chat
  let ann: Person
  let room: Room
  beforeAll(async () => {
    chat = await startChat()
    ann = await newPerson(chat.url)
    room = await ann.openRoom('private')
  })
  afterAll(() => chat.stop())

  /** A connection that has not asked for a socket yet. */
  async function connectionOf(person: Person) {
    const extraHeaders = { cookie: person.cookie, origin: chat.url }
    const manager = new Manager(chat.url, { transports: ['websocket'], reconnection: false, extraHeaders })
    await once(manager as never, 'open')
    return { manager, engine: manager.engine }
  }

  it('are limited to one for each connection, also after many requests', async () => {
    const poster = await ann.connect()
    // The client never sends a second CONNECT for a namespace. So the test sends and reads raw packets.
    const { engine, manager } = await connectionOf(ann)
    const heard: string[] = []
    const last = new Promise<void>((resolve) => {
      engine.on('data', (packet) => {
        if (typeof packet !== 'string' || !packet.startsWith('2["messages:posted"')) return
        heard.push(...['first', 'last'].filter((body) => packet.includes(`"${body}"`)))
        if (heard.includes('last')) resolve()
      })
    })
    const answered = new Promise<void>((resolve) => {
      let answers = 0
      engine.on('data', (packet) => {
        if (typeof packet === 'string' && /^[04]\{/.test(packet)) answers += 1
        if (answers === 200) resolve()
      })
    })
    for (let each = 0; each < 200; each += 1) engine.write('0') // Socket.IO's CONNECT
    await answered
    await ann.post(poster, room.id, 'first')
    await ann.post(poster, room.id, 'last')
    await last
    expect(heard).toEqual(['first', 'last'])
    manager._close()
    ann.leave()
  })

  it('are limited to 20 for each account, also when all of them connect at once', async () => {
    const ben = await newPerson(chat.url, 'Ben')
    // All connections first, so that they ask for their sockets at the same moment.
    const connections = await Promise.all(Array.from({ length: 60 }, () => connectionOf(ben)))
    const outcomes = await Promise.all(
      connections.map(({ manager }) => {
        const socket = manager.socket('/')
        return Promise.race([
          once(socket as never, 'connect').then(() => 'in'),
          once(socket as never, 'connect_error').then(() => 'refused'),
        ])
      }),
    )
    expect(outcomes.filter((outcome) => outcome === 'in')).toHaveLength(20)
    for (const { manager } of connections) manager._close()
    // Closed sockets no longer count.
    let again
    while (again === undefined) again = await ben.connect().catch(() => undefined)
    ben.leave()
  })

  it('close their connection when they leave the namespace', async () => {
    const socket = await ann.connect()
    const { engine } = socket.io
    const closed = once(engine as never, 'close')
    engine.write('1') // Socket.IO's DISCONNECT. The real client would then close the connection itself
    await closed
  })

  it.each([
    ['message:post', 'LIMIT_POST', () => ({})],
    ['message:edit', 'LIMIT_POST', () => ({})],
    ['message:delete', 'LIMIT_POST', () => ({ roomId: room.id, seq: 1 })],
    ['room:read', 'LIMIT_SIGNAL', () => ({ roomId: room.id, seq: 1 })],
    ['typing:start', 'LIMIT_SIGNAL', () => ({ roomId: room.id })],
  ])('have one limit of %s for all sockets of an account', async (event, limit, payload) => {
    const strict = await chat.replica({ [limit]: '3/60' })
    const sockets = [
      await ann.connect(strict.url, { origin: strict.url }),
      await ann.connect(strict.url, { origin: strict.url }),
    ]
    const codes: unknown[] = []
    for (const socket of [...sockets, ...sockets]) {
      const reply = (await ann.emit(socket, event, payload())) as { error?: { code: string } }
      codes.push(reply.error?.code)
    }
    expect(codes.slice(0, 3)).not.toContain('rate_limited')
    expect(codes[3]).toBe('rate_limited')
    ann.leave()
  })
})
