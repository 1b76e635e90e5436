import { z } from 'zod'
import { limits, type Edit, type MessagePlace, type NewMessage } from '../contract.js'
import { parse, prose, schemaOf, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { SocketEvents } from '../live/sockets.js'
import type { Messages } from './messages.js'

const body = prose('a message', limits.message)
const place = { roomId: uuid(), seq: z.int().min(1) }
const newMessage = schemaOf<NewMessage>()({ roomId: uuid(), id: uuid(), body, replyTo: z.int().min(1).nullish() })
const edit = schemaOf<Edit>()({ ...place, body })
const which = schemaOf<MessagePlace>()(place)

export function registerMessages(
  events: SocketEvents,
  { messages, limiter }: { messages: Messages; limiter: Limiter },
): void {
  events.answer('message:post', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    return messages.post(account.id, parse(newMessage, input))
  })
  events.answer('message:edit', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    return messages.edit(account.id, parse(edit, input))
  })
  events.answer('message:delete', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    return messages.remove(account.id, parse(which, input))
  })
}
