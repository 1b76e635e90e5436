import { limits, type Message, type ReactionChange } from '../contract.js'
import type { Messages } from '../messages/messages.js'
import { ChatError } from '../platform/errors.js'
import * as queries from './queries.js'

export type Reactions = ReturnType<typeof createReactions>

/** Members react to messages with emoji. A reaction is a change of its message, so clients cannot miss it. */
export function createReactions({ messages }: { messages: Pick<Messages, 'touch'> }) {
  return {
    /**
     * Adds an emoji to a message or takes it back, and tells the room. The same reaction twice is one.
     * @throws ChatError `no_such_room`, `not_a_member`, `no_such_message`, `too_many_reactions`, `busy`.
     */
    react: (accountId: string, change: ReactionChange): Promise<Message> =>
      messages.touch(accountId, change, async (tx) => {
        if (!change.on) return queries.deleteReaction(tx, accountId, change)
        await queries.insertReaction(tx, accountId, change)
        if ((await queries.countEmoji(tx, change)) > limits.reactions)
          throw new ChatError('too_many_reactions', `A message can have ${limits.reactions} different emoji.`)
      }),
  }
}
