import { z } from 'zod'

const chatEvent = z.discriminatedUnion('type', [
  z.object({ id: z.guid(), type: z.literal('account.registered'), payload: z.object({ accountId: z.guid() }) }),
  z.object({
    id: z.guid(),
    type: z.literal('member.joined'),
    payload: z.object({ roomId: z.guid(), accountId: z.guid() }),
  }),
])

/** Something that has happened, in the past tense. Stored in the outbox, carried by the bus. */
export type ChatEvent = z.infer<typeof chatEvent>
export type EventType = ChatEvent['type']
export type EventOf<Type extends EventType> = Extract<ChatEvent, { type: Type }>

/** @throws when it is not one of the events known here. */
export function parseEvent(value: unknown): ChatEvent {
  return chatEvent.parse(value)
}
