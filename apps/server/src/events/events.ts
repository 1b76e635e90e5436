import { z } from 'zod'

const chatEvent = z.discriminatedUnion('type', [
  z.object({ id: z.guid(), type: z.literal('account.registered'), payload: z.object({ accountId: z.guid() }) }),
  z.object({
    id: z.guid(),
    type: z.literal('member.joined'),
    payload: z.object({ roomId: z.guid(), accountId: z.guid() }),
  }),
])

/** Something that has happened, named in the past tense. The outbox stores it and the bus delivers it. */
export type ChatEvent = z.infer<typeof chatEvent>
export type EventType = ChatEvent['type']
export type EventOf<Type extends EventType> = Extract<ChatEvent, { type: Type }>

/** @throws when the value is not an event of a known type. */
export function parseEvent(value: unknown): ChatEvent {
  return chatEvent.parse(value)
}
