import { z } from 'zod'
import type { MessagePlace } from '../contract.js'
import { parse, schemaOf, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { SocketEvents } from '../live/sockets.js'
import type { Rooms } from './rooms.js'

const from = schemaOf<MessagePlace>()({ roomId: uuid(), seq: z.int().min(1) })
const mark = schemaOf<MessagePlace>()({ roomId: uuid(), seq: z.int().min(0) })

export function registerRooms(events: SocketEvents, { rooms, limiter }: { rooms: Rooms; limiter: Limiter }): void {
  events.answer('room:read', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    const { roomId, seq } = parse(mark, input)
    return { read: await rooms.read(account.id, roomId, seq) }
  })
  events.answer('room:unread', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    const { roomId, seq } = parse(from, input)
    return { read: await rooms.unread(account.id, roomId, seq) }
  })
}
