import { z } from 'zod'
import type { ReactionChange } from '../contract.js'
import type { SocketEvents } from '../live/sockets.js'
import { because, parse, schemaOf, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import type { Reactions } from './reactions.js'

// One emoji that Unicode recommends for general interchange, for example a flag or a family.
const oneEmoji = new RegExp('^\\p{RGI_Emoji}$', 'v')
const emoji = z.string().refine((value) => oneEmoji.test(value), because('not_an_emoji', 'Please choose an emoji.'))
const reaction = schemaOf<ReactionChange>()({ roomId: uuid(), seq: z.int().min(1), emoji, on: z.boolean() })

export function registerReactions(
  events: SocketEvents,
  { reactions, limiter }: { reactions: Reactions; limiter: Limiter },
): void {
  events.answer('message:react', async (input, account) => {
    await limiter.take(account.id, { accountId: account.id })
    return reactions.react(account.id, parse(reaction, input))
  })
}
