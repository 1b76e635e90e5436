import type { ChatEvent, EventOf, EventType } from './events.js'

/**
 * Does one thing when one type of event has happened. It may get the same event twice, and the result must be the same.
 * When it throws, it gets the event again later. After the last attempt the event is parked.
 */
export interface Consumer<Type extends EventType = EventType> {
  /** Also the name of its queue, for example `greet-newcomer`. */
  name: string
  type: Type
  handle(event: EventOf<Type>): Promise<void>
}

/** Delays before the next attempts of a failed event, in ms. After the last attempt the event is parked. */
export const retryDelaysMs: readonly number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000]

/** Thrown by `publish` when a consumer failed (in-process only). The bus itself works. */
export class ConsumerFailed extends Error {
  constructor(consumer: string, cause: unknown) {
    super(`Consumer ${consumer} failed`, { cause })
    this.name = 'ConsumerFailed'
  }
}

/** Delivers events to their consumers: each event at least once, in any order. */
export interface Bus {
  /**
   * Resolves when the broker has confirmed the event, or when every consumer in this process has handled it.
   * @throws ConsumerFailed when a consumer in this process failed; any other error when the bus did not accept the event.
   */
  publish(event: ChatEvent): Promise<void>
  /** From now on the consumer gets the events of its type. When the bus is out of reach, it gets them when the bus is back. */
  subscribe(consumer: Consumer): Promise<void>
  /** Makes every parked event available again. Returns the number of events. */
  replay(): Promise<number>
  /** Throws with the reason when an event published now would not be accepted. */
  check(): Promise<void>
  /** Accepts no new events, waits for the current ones, and disconnects. */
  close(): Promise<void>
}
