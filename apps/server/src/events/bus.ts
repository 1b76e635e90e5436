import type { ChatEvent, EventOf, EventType } from './events.js'

/**
 * Does one thing when one type of event has happened. It may see the same event twice and must leave the same state;
 * what it throws makes the event come back later, and at last be parked.
 */
export interface Consumer<Type extends EventType = EventType> {
  /** Names its queue: `greet-newcomer`. */
  name: string
  type: Type
  handle(event: EventOf<Type>): Promise<void>
}

/** How long a failed event rests before its next attempts, in ms; after the last one it is parked. */
export const retryDelaysMs: readonly number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000]

/** Thrown by `publish` when a consumer failed (in-process only): the event itself is the problem, not the bus. */
export class ConsumerFailed extends Error {
  constructor(consumer: string, cause: unknown) {
    super(`Consumer ${consumer} failed`, { cause })
    this.name = 'ConsumerFailed'
  }
}

/** Carries events from where they happened to those who act on them, at least once, in no promised order. */
export interface Bus {
  /**
   * Resolves once the event is safe: confirmed by the broker, or handled by every consumer in this process.
   * @throws ConsumerFailed when a consumer in this process failed; any other error when the bus did not take the event.
   */
  publish(event: ChatEvent): Promise<void>
  /** Hands events of its type to the consumer from now on; when the bus is out of reach, from its return on. */
  subscribe(consumer: Consumer): Promise<void>
  /** Puts every parked event back to work. Returns how many. */
  replay(): Promise<number>
  /** Throws with the reason when an event published now would not be accepted. */
  check(): Promise<void>
  /** Stops taking new events, waits for those in hand, disconnects. */
  close(): Promise<void>
}
