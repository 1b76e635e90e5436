import { z } from 'zod'
import { parse, uuid } from '../platform/input.js'
import type { ChatSocket } from '../sockets.js'
import type { Rooms } from './rooms.js'

const mark = z.object({ roomId: uuid(), seq: z.int().min(0) })

export function registerRooms(socket: ChatSocket, { rooms }: { rooms: Rooms }): void {
  socket.answer('room:read', async (input, account) => {
    const { roomId, seq } = parse(mark, input)
    return { read: await rooms.read(roomId, account.id, seq) }
  })
}
