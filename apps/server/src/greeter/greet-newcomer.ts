import { createHash } from 'node:crypto'
import type { Accounts } from '../accounts/accounts.js'
import type { Messages } from '../messages/messages.js'
import type { EventOf } from '../events/events.js'
import { ChatError } from '../platform/errors.js'
import type { Rooms } from '../rooms/rooms.js'

/** The bot's account, there since the first migration. */
export const greeterId = '00000000-0000-4000-8000-00000000b075'

interface GreetNewcomerOptions {
  accounts: Pick<Accounts, 'find'>
  rooms: Pick<Rooms, 'requireMember' | 'admitBot'>
  messages: Pick<Messages, 'post'>
}

/**
 * Greets whoever has joined a room, once per room and person for ever: the greeting's id follows from both, and an
 * author's id is stored once. Bots, and those who have left again in the meantime, are not greeted.
 */
export function greetNewcomer({ accounts, rooms, messages }: GreetNewcomerOptions) {
  return async ({ payload: { roomId, accountId } }: EventOf<'member.joined'>): Promise<void> => {
    // Only those who can sign in are found.
    const newcomer = await accounts.find(accountId)
    if (newcomer === undefined || !(await isStillThere(rooms, roomId, accountId))) return
    await rooms.admitBot(roomId, greeterId)
    await messages.post(greeterId, { roomId, id: greetingId(roomId, accountId), body: `Welcome, ${newcomer.name}!` })
  }
}

async function isStillThere(rooms: Pick<Rooms, 'requireMember'>, roomId: string, accountId: string): Promise<boolean> {
  try {
    await rooms.requireMember(roomId, accountId)
    return true
  } catch (error) {
    if (error instanceof ChatError) return false
    throw error
  }
}

/** A UUID of version 8, the one for ids that are computed: https://www.rfc-editor.org/rfc/rfc9562#section-5.8 */
export function greetingId(roomId: string, accountId: string): string {
  const bytes = createHash('sha256').update(`greeting ${roomId} ${accountId}`).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
