import type { Message } from '../contract.js'
import type { Messages } from '../messages/messages.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Sockets } from './sockets.js'

/**
 * Hints between replicas may be lost, and so may the process between a commit and its news. PostgreSQL has not
 * forgotten: what is done here again and again brings the sockets of this process back in step with it.
 */

type History = Pick<Messages, 'headsOf' | 'missing'>

/** What sockets here have heard of a room. */
interface Heard {
  /** All messages up to this one; undefined before the first look. */
  upTo: number | undefined
  /** Others, behind a hole. */
  beyond: Set<number>
  /** Was something missing at the last look, right behind `upTo`? */
  missingAfter: number | undefined
}

// More than this a client may as well ask for by pages.
const repairAtMost = 100

/**
 * Tells a room what it should have heard of and has not: a message seen missing at one look and at the next (one alone
 * may just be on its way) is read from PostgreSQL and sent to the sockets here. `room:head` says how far the room has
 * come, for clients that miss more.
 */
export function createHeadWatch({
  sockets,
  messages,
}: {
  sockets: Pick<Sockets, 'roomIds' | 'deliver'>
  messages: History
}) {
  const rooms = new Map<string, Heard>()

  /** Moves `upTo` over what has been heard without a hole. */
  function close(room: Heard): void {
    if (room.upTo === undefined) return
    for (const seq of room.beyond) if (seq <= room.upTo) room.beyond.delete(seq)
    while (room.beyond.delete(room.upTo + 1)) room.upTo += 1
  }

  return {
    /** News of messages passes through here on its way to the sockets. */
    note(roomId: string, seq: number) {
      const room = rooms.get(roomId)
      room?.beyond.add(seq)
      if (room !== undefined) close(room)
    },

    async look() {
      const roomIds = sockets.roomIds()
      const listened = new Set(roomIds)
      for (const roomId of rooms.keys()) if (!listened.has(roomId)) rooms.delete(roomId)
      for (const roomId of roomIds)
        if (!rooms.has(roomId)) rooms.set(roomId, { upTo: undefined, beyond: new Set(), missingAfter: undefined })
      if (roomIds.length === 0) return

      const overdue: { roomId: string; after: number; head: number }[] = []
      for (const { roomId, head } of await messages.headsOf(roomIds)) {
        const room = rooms.get(roomId)
        if (room === undefined) continue
        const { upTo } = room
        if (upTo === undefined) {
          // A room nobody here listened to until now: what came before the first look may have been missed.
          room.upTo = head
          close(room)
          sockets.deliver({ type: 'room:head', to: [roomId], payload: { roomId, head } })
        } else if (upTo < head && room.missingAfter === upTo) {
          overdue.push({ roomId, after: upTo, head })
        } else {
          room.missingAfter = upTo < head ? upTo : undefined
        }
      }
      if (overdue.length > 0) await repair(overdue)
    },
  }

  async function repair(overdue: { roomId: string; after: number; head: number }[]): Promise<void> {
    const few = overdue.filter(({ after, head }) => head - after <= repairAtMost)
    const found = few.length === 0 ? new Map<string, Message[]>() : await messages.missing(few, repairAtMost)
    for (const { roomId, head } of overdue) {
      const room = rooms.get(roomId)
      const lost = found.get(roomId)?.filter(({ seq }) => !room?.beyond.has(seq)) ?? []
      if (lost.length > 0)
        sockets.deliver({ type: 'messages:posted', to: [roomId], payload: { roomId, messages: lost } })
      sockets.deliver({ type: 'room:head', to: [roomId], payload: { roomId, head } })
      if (room === undefined) continue
      room.upTo = Math.max(head, room.upTo ?? 0)
      room.missingAfter = undefined
      close(room)
    }
  }
}

/** Puts every socket here into the rooms of its account, no more and no fewer. */
export async function reconcileMemberships({ sockets, rooms }: { sockets: Sockets; rooms: Rooms }): Promise<void> {
  const accountIds = sockets.accountIds()
  if (accountIds.length === 0) return
  const roomIds = new Map<string, string[]>(accountIds.map((id) => [id, []]))
  for (const { accountId, roomId } of await rooms.membershipsOf(accountIds)) roomIds.get(accountId)?.push(roomId)
  for (const [accountId, ids] of roomIds) sockets.setRooms(accountId, ids)
}

/** Disconnects sockets whose session has ended without this process hearing of it, by a sign-out elsewhere or by time. */
export async function closeEndedSessions({
  sockets,
  sessions,
}: {
  sockets: Sockets
  sessions: Sessions
}): Promise<void> {
  const sessionIds = sockets.sessionIds()
  if (sessionIds.length === 0) return
  for (const sessionId of await sessions.overOf(sessionIds)) sockets.deliver({ type: 'session-ended', sessionId })
}
