import type { Message } from '../contract.js'
import { changeOf, type Counter, type Messages } from '../messages/messages.js'
import { groupBy } from '../platform/group.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Dispatch } from './news.js'
import type { Sockets } from './sockets.js'

/**
 * A hint between replicas may be lost, and a process may end between a commit and its news. PostgreSQL has everything:
 * these functions run every few seconds and tell the sockets of this process what they missed.
 */

type History = Pick<Messages, 'headsOf' | 'missing'>

// When more messages are missing, clients ask for them by pages.
const repairAtMost = 100

/**
 * Which numbers the sockets of this process have been told of. Numbers count up without holes. A number that is missing
 * may be on its way: it is overdue when it is still missing at the next look.
 */
function createTrack() {
  /** All up to this one have been heard; undefined before the first look. */
  let upTo: number | undefined
  /** Numbers above a hole. */
  const beyond = new Set<number>()
  let missingAfter: number | undefined

  function moveTo(head: number): void {
    upTo = Math.max(head, upTo ?? 0)
    missingAfter = undefined
    close()
  }

  /** Moves `upTo` to the last number before the first hole. */
  function close(): void {
    if (upTo === undefined) return
    for (const number of beyond) if (number <= upTo) beyond.delete(number)
    while (beyond.delete(upTo + 1)) upTo += 1
  }

  return {
    note(number: number) {
      beyond.add(number)
      close()
    },
    /** The number after which one is overdue when the highest number is `head`; undefined when none is overdue. */
    look(head: number): number | undefined {
      if (upTo === undefined) moveTo(head)
      else if (upTo < head && missingAfter === upTo) return upTo
      else missingAfter = upTo < head ? upTo : undefined
      return undefined
    },
    heardBeyond: (number: number) => beyond.has(number),
    moveTo,
  }
}

type Track = ReturnType<typeof createTrack>

type Overdue = { roomId: string; after: number; head: number; track: Track }

/**
 * Sends the sockets of this process what they should have been told and were not: a message or a change of a message
 * that is overdue is read from PostgreSQL. `room:head` names the highest numbers, for clients that miss more.
 */
export function createHeadWatch({
  sockets,
  messages,
}: {
  sockets: Pick<Sockets, 'roomIds'> & { deliver: (dispatch: Dispatch) => void }
  messages: History
}) {
  const rooms = new Map<string, Record<Counter, Track>>()

  return {
    /** Messages (by `seq`) or changes of messages (by `version`) that the sockets here are told of. */
    note(counter: Counter, roomId: string, numbers: number[]) {
      for (const number of numbers) rooms.get(roomId)?.[counter].note(number)
    },

    async look() {
      const listened = new Set(sockets.roomIds())
      for (const roomId of rooms.keys()) if (!listened.has(roomId)) rooms.delete(roomId)
      // Rooms that had no reader here until now: messages before the first look may have been missed.
      const unknown = new Set([...listened].filter((roomId) => !rooms.has(roomId)))
      for (const roomId of unknown) rooms.set(roomId, { seq: createTrack(), version: createTrack() })
      if (listened.size === 0) return

      const overdue: Record<Counter, Overdue[]> = { seq: [], version: [] }
      const heads = await messages.headsOf([...listened])
      for (const { roomId, head: seq, version } of heads) {
        for (const [counter, head] of [
          ['seq', seq],
          ['version', version],
        ] as const) {
          const track = rooms.get(roomId)?.[counter]
          const after = track?.look(head)
          if (track && after !== undefined) overdue[counter].push({ roomId, after, head, track })
        }
      }
      await repair('seq', overdue.seq)
      await repair('version', overdue.version)
      const behind = new Set([...unknown, ...[...overdue.seq, ...overdue.version].map(({ roomId }) => roomId)])
      for (const payload of heads) {
        if (behind.has(payload.roomId)) sockets.deliver({ type: 'room:head', to: [payload.roomId], payload })
      }
    },
  }

  async function repair(counter: Counter, overdue: Overdue[]): Promise<void> {
    const few = overdue.filter(({ after, head }) => head - after <= repairAtMost)
    const found = few.length === 0 ? new Map<string, Message[]>() : await messages.missing(counter, few, repairAtMost)
    for (const { roomId, head, track } of overdue) {
      const lost = found.get(roomId)?.filter((message) => !track.heardBeyond(message[counter])) ?? []
      for (const dispatch of newsOf(counter, roomId, lost)) sockets.deliver(dispatch)
      track.moveTo(head)
    }
  }
}

function newsOf(counter: Counter, roomId: string, messages: Message[]): Dispatch[] {
  if (messages.length === 0) return []
  if (counter === 'seq') return [{ type: 'messages:posted', to: [roomId], payload: { roomId, messages } }]
  return messages.map((message) => ({ type: changeOf(message), to: [roomId], payload: { roomId, message } }))
}

/** Puts every socket here into the rooms of its account, no more and no fewer. */
export async function reconcileMemberships({ sockets, rooms }: { sockets: Sockets; rooms: Rooms }): Promise<void> {
  const accountIds = sockets.accountIds()
  if (accountIds.length === 0) return
  const memberships = groupBy(await rooms.membershipsOf(accountIds), ({ accountId }) => accountId)
  for (const id of accountIds)
    sockets.setRooms(
      id,
      (memberships.get(id) ?? []).map(({ roomId }) => roomId),
    )
}

/** Disconnects sockets whose session has ended, by a sign-out on another replica or because it expired. */
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
