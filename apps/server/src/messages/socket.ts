import { z } from 'zod'
import { parse, prose, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { ChatSocket } from '../live/sockets.js'
import type { Messages } from './messages.js'

const body = prose('a message', 4000)
const newMessage = z.object({ roomId: uuid(), id: uuid(), body, replyTo: z.int().min(1).nullish() })
const edit = z.object({ roomId: uuid(), seq: z.int().min(1), body })
const which = z.object({ roomId: uuid(), seq: z.int().min(1) })

export function registerMessages(
  socket: ChatSocket,
  { messages, limiter }: { messages: Messages; limiter: Limiter },
): void {
  socket.answer('message:post', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    const { roomId, id, body, replyTo = null } = parse(newMessage, input)
    return messages.post(account.id, { roomId, id, body, replyTo })
  })
  socket.answer('message:edit', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    const { roomId, seq, body } = parse(edit, input)
    return messages.edit(account.id, { roomId, seq, body })
  })
  socket.answer('message:delete', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    const { roomId, seq } = parse(which, input)
    return messages.remove(account.id, { roomId, seq })
  })
}
