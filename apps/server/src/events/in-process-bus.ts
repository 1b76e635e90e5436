import { ConsumerFailed, type Bus, type Consumer } from './bus.js'
import type { ChatEvent } from './events.js'
import type { Db } from '../platform/db.js'
import { createGate } from '../platform/gate.js'
import { unparkEvents } from './outbox.js'

/**
 * The bus of a chat without RabbitMQ: `publish` runs the consumers in this process. The outbox is its queue, so retries
 * and parked events are in the database.
 */
export function createInProcessBus({ db }: { db: Db }): Bus {
  const consumers: Consumer[] = []
  const inHand = new Set<Promise<void>>()
  // The same process serves people, so many events must not use all of its database connections.
  const gate = createGate(4)
  let isClosed = false

  return {
    async publish(event) {
      if (isClosed) throw new Error('The bus is closed')
      const interested = consumers.filter(({ type }) => type === event.type)
      const work = gate(() => handle(interested, event))
      inHand.add(work)
      try {
        await work
      } finally {
        inHand.delete(work)
      }
    },
    async subscribe(consumer) {
      consumers.push(consumer)
    },
    replay: () => unparkEvents(db),
    async check() {
      if (isClosed) throw new Error('The bus is closed')
    },
    async close() {
      isClosed = true
      await Promise.allSettled(inHand)
    },
  }
}

/** Calls every consumer, even after one has failed, because they do not depend on each other. */
async function handle(consumers: Consumer[], event: ChatEvent): Promise<void> {
  let failure: ConsumerFailed | undefined
  for (const consumer of consumers) {
    try {
      await consumer.handle(event)
    } catch (error) {
      failure ??= new ConsumerFailed(consumer.name, error)
    }
  }
  if (failure !== undefined) throw failure
}
