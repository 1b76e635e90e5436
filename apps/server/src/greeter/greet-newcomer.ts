import { createHash } from 'node:crypto'
import type { Accounts } from '../accounts/accounts.js'
import type { Messages } from '../messages/messages.js'
import type { EventOf } from '../events/events.js'
import { ChatError } from '../platform/errors.js'
import type { Membership, Rooms } from '../rooms/rooms.js'

/** The id of the bot's account, which the first migration inserts. */
export const greeterId = '00000000-0000-4000-8000-00000000b075'

interface GreetNewcomerOptions {
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'requireMember' | 'admitBot'>
  messages: Pick<Messages, 'post'>
}

/**
 * Greets a person who has joined a room, once per room and person: the id of the greeting is computed from both, and a
 * message with this id is stored only once. Bots, and people who have left the room again, are not greeted.
 */
export function greetNewcomer({ accounts, rooms, messages }: GreetNewcomerOptions) {
  return async ({ payload: { roomId, accountId } }: EventOf<'member.joined'>): Promise<void> => {
    // `find` does not find bots.
    const newcomer = await accounts.find(accountId)
    if (newcomer === undefined) return
    const room = await membershipOf(rooms, accountId, roomId)
    if (room === undefined) return
    await rooms.admitBot(greeterId, room)
    await messages.post(greeterId, { roomId, id: greetingId(roomId, accountId), body: `Welcome, ${newcomer.name}!` })
  }
}

/** Undefined when they have left again. */
async function membershipOf(
  rooms: Pick<Rooms, 'requireMember'>,
  accountId: string,
  roomId: string,
): Promise<Membership | undefined> {
  try {
    return await rooms.requireMember(accountId, roomId)
  } catch (error) {
    if (error instanceof ChatError) return undefined
    throw error
  }
}

/** A UUID of version 8, the version for computed ids: https://www.rfc-editor.org/rfc/rfc9562#section-5.8 */
export function greetingId(roomId: string, accountId: string): string {
  const bytes = createHash('sha256').update(`greeting ${roomId} ${accountId}`).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
