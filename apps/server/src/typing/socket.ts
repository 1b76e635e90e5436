import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.js'
import type { ToPerson } from '../accounts/person.js'
import type { News } from '../live/news.js'
import { parse, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { Rooms } from '../rooms/rooms.js'
import type { ChatSocket } from '../live/sockets.js'

const where = z.object({ roomId: uuid() })

/** How long somebody counts as typing after saying so. */
const typingMs = 5_000

interface Typing {
  news: News
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'requireMember'>
  toPerson: ToPerson
  limiter: Limiter
}

/** Who is typing: a hint that expires by itself at the receiver, so nobody has to take it back. */
export function registerTyping(socket: ChatSocket, { news, accounts, rooms, toPerson, limiter }: Typing): void {
  let quietUntil = 0
  socket.answer('typing:start', async (input, { id }) => {
    await limiter.take(id, { accountId: id })
    const { roomId } = parse(where, input)
    // The socket knows its account as it was when it connected.
    const [account] = await Promise.all([accounts.find(id), rooms.requireMember(roomId, id)])
    // One hint a second is as good as fifty.
    if (account !== undefined && Date.now() >= quietUntil) {
      quietUntil = Date.now() + 1_000
      news.send({
        type: 'typing:changed',
        to: [roomId],
        payload: { roomId, account: toPerson(account), expiresInMs: typingMs },
      })
    }
    return {}
  })
}
