import type { Messages } from './messages/messages.js'
import type { Rooms } from './rooms/rooms.js'
import type { Sessions } from './sessions/sessions.js'
import type { Sockets } from './sockets.js'

/**
 * Hints between replicas may be lost, and so may the process between a commit and its news. PostgreSQL has not
 * forgotten: what is done here again and again brings the sockets of this process back in step with it.
 */

type Heads = Pick<Messages, 'headsOf'>

/**
 * Tells a room how far it has come when it should have heard of more than it has: a message seen missing at one look
 * and at the next (one alone may just be on its way) is announced, and clients fetch it.
 */
export function createHeadWatch({ sockets, messages }: { sockets: Pick<Sockets, 'roomIds' | 'deliver'>; messages: Heads }) {
  let heard = new Map<string, number>()
  let missing = new Map<string, number>()

  return {
    /** News of messages passes through here on its way to the sockets. */
    note(roomId: string, seq: number) {
      heard.set(roomId, Math.max(seq, heard.get(roomId) ?? 0))
    },

    async look() {
      const roomIds = sockets.roomIds()
      if (roomIds.length === 0) return
      const before = heard
      const stillMissing = new Map<string, number>()
      const known = new Map<string, number>()
      for (const { roomId, head } of await messages.headsOf(roomIds)) {
        const last = before.get(roomId)
        // A room nobody here listened to until now: what came before the first look may have been missed.
        const overdue = last === undefined || (last < head && (missing.get(roomId) ?? 0) > last)
        if (overdue) sockets.deliver({ to: [roomId], event: 'room:head', news: { roomId, head } })
        else if (last < head) stillMissing.set(roomId, head)
        known.set(roomId, overdue ? Math.max(head, last ?? 0) : last)
      }
      // News may have come in while the database was asked.
      for (const [roomId, seq] of known) known.set(roomId, Math.max(seq, heard.get(roomId) ?? 0))
      heard = known
      missing = stillMissing
    },
  }
}

/** Puts every socket here into the rooms of its account, no more and no fewer. */
export async function reconcileMemberships({ sockets, rooms }: { sockets: Sockets; rooms: Rooms }): Promise<void> {
  const accountIds = sockets.accountIds()
  const roomIds = new Map<string, string[]>(accountIds.map((id) => [id, []]))
  for (const { accountId, roomId } of await rooms.membershipsOf(accountIds)) roomIds.get(accountId)?.push(roomId)
  for (const [accountId, ids] of roomIds) sockets.setRooms(accountId, ids)
}

/** Disconnects sockets whose session has ended without this process hearing of it, by a sign-out elsewhere or by time. */
export async function endDeadSessions({ sockets, sessions }: { sockets: Sockets; sessions: Sessions }): Promise<void> {
  for (const sessionId of sockets.sessionIds()) {
    if (!(await sessions.isAlive(sessionId))) sockets.deliver({ ended: { sessionId } })
  }
}
