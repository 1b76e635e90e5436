import type { Person, Room, ServerToClientEvents } from '../contract.js'
import type { Wire } from './hints.js'

export type NewsEvent = keyof ServerToClientEvents

/** What sockets need to hear of, on whichever replica they are. */
export type Dispatch =
  | {
      [Event in NewsEvent]: { to: string[]; event: Event; news: Parameters<ServerToClientEvents[Event]>[0] }
    }[NewsEvent]
  | { opened: Room }
  | { person: Person; to: string[] }
  | { joined: { accountId: string; roomId: string } }
  | { left: { accountId: string; roomId: string } }
  | { ended: { sessionId: string } | { accountId: string; exceptSessionId: string } }

/** Tells sockets what has happened: those of this process at once, the others through the wire. */
export interface News {
  send(dispatch: Dispatch): void
}

/** `deliver` acts on the sockets of this process; a process without sockets has none. */
export function createNews({ wire, deliver }: { wire: Wire; deliver?: (dispatch: Dispatch) => void }): News {
  if (deliver !== undefined) wire.subscribe((hint) => deliver(JSON.parse(hint) as Dispatch))
  return {
    send(dispatch) {
      // Whoever is connected here never waits for Redis, and loses nothing when it is gone.
      deliver?.(dispatch)
      wire.publish(JSON.stringify(dispatch))
    },
  }
}
