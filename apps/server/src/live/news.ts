import type { ServerToClientEvents } from '../contract.js'
import type { Hints } from './hints.js'

type Payload<Event extends keyof ServerToClientEvents> = Parameters<ServerToClientEvents[Event]>[0]
type RoomEvent = Exclude<keyof ServerToClientEvents, 'room:opened'>

/** What sockets need to hear of, on whichever replica they are: an event for the members of the rooms `to`, or a change of their own. */
export type Dispatch =
  | { [Event in RoomEvent]: { type: Event; to: string[]; payload: Payload<Event> } }[RoomEvent]
  | { type: 'room:opened'; payload: Payload<'room:opened'> }
  | { type: 'joined' | 'left'; accountId: string; roomId: string }
  | { type: 'session-ended'; sessionId: string }
  | { type: 'other-sessions-ended'; accountId: string; exceptSessionId: string }

/** Tells sockets what has happened: those of this process at once, those of other replicas by hints. */
export interface News {
  send(dispatch: Dispatch): void
}

/** `deliver` acts on the sockets of this process; a process without sockets has none. */
export function createNews({ hints, deliver }: { hints: Hints; deliver?: (dispatch: Dispatch) => void }): News {
  if (deliver !== undefined) hints.subscribe((hint) => deliver(JSON.parse(hint) as Dispatch))
  return {
    send(dispatch) {
      // Whoever is connected here never waits for Redis, and loses nothing when it is gone.
      deliver?.(dispatch)
      hints.publish(JSON.stringify(dispatch))
    },
  }
}
