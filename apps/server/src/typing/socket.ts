import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.js'
import type { ToPerson } from '../accounts/person.js'
import type { News } from '../live/news.js'
import { parse, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { Rooms } from '../rooms/rooms.js'
import type { SocketEvents } from '../live/sockets.js'

const where = z.object({ roomId: uuid() })

/** How long an account counts as typing after `typing:start`. */
const typingMs = 5_000

interface Typing {
  news: News
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'requireMember'>
  toPerson: ToPerson
  limiter: Limiter
}

/** Tells a room who is typing. The event expires at the receiver, so there is no event for the end of typing. */
export function registerTyping(events: SocketEvents, { news, accounts, rooms, toPerson, limiter }: Typing): void {
  const lastTold = new WeakMap<object, { roomId: string; at: number }>()
  events.answer('typing:start', async (input, { id }, socket) => {
    await limiter.take(id, { accountId: id })
    const { roomId } = parse(where, input)
    // The socket has the account as it was at the handshake, perhaps with an old name or avatar.
    const [account, room] = await Promise.all([accounts.find(id), rooms.requireMember(id, roomId)])
    // One event per second is enough for a room.
    const told = lastTold.get(socket)
    if (account !== undefined && (room.id !== told?.roomId || Date.now() - told.at >= 1_000)) {
      lastTold.set(socket, { roomId: room.id, at: Date.now() })
      news.send({
        type: 'typing:changed',
        to: [room.id],
        payload: { roomId: room.id, account: toPerson(account), expiresInMs: typingMs },
      })
    }
    return {}
  })
}
