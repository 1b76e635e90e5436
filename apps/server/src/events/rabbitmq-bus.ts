import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib'
import { retryDelaysMs, type Bus, type Consumer } from './bus.js'
import { parseEvent, type ChatEvent, type EventType } from './events.js'
import { within } from '../platform/deadline.js'
import type { Log } from '../platform/log.js'
import {
  attemptHeader,
  callMs,
  deliver,
  goodbyeMs,
  idOf,
  replayQueue,
  sayGoodbye,
  send,
  type Link,
} from './rabbitmq-link.js'

interface RabbitmqBusOptions {
  uri: string
  /**
   * Every consumer there is, by name, and the event that wakes it. Whoever connects first makes the queues of all of
   * them, so no event can be published before those who wait for it have a place where it is kept.
   */
  consumers: Readonly<Record<string, EventType>>
  log: Log
  /** Rests between the attempts of a consumer that fails; after the last one the event is parked. */
  delaysMs?: readonly number[]
  /** First word of every name in the broker. */
  prefix?: string
}

/** The message itself is at fault: trying again cannot help. */
class Malformed extends Error {}

const setupMs = 15_000
const heartbeatSeconds = '10'
const prefetch = 10

/**
 * Events through RabbitMQ 3.10 or later: a topic exchange, and for each consumer a queue, one waiting queue per delay,
 * and a dead queue for what is parked. All of them are durable quorum queues, which survive the loss of a node.
 *
 * Resolves after the first try to connect, whatever came of it. While the broker is out of reach everything fails at
 * once, and the connection comes back by itself with all that belongs to it.
 */
export async function createRabbitmqBus({
  uri,
  consumers,
  log,
  delaysMs = retryDelaysMs,
  prefix = 'chat',
}: RabbitmqBusOptions): Promise<Bus> {
  const exchange = `${prefix}.events`
  const queueOf = (consumer: string) => `${prefix}.${consumer}`
  const deadQueueOf = (consumer: string) => `${prefix}.${consumer}.dead`
  // The delay is in the name: a queue cannot change, and what waits in one of an older ladder still finds its way.
  const waitingQueueOf = (consumer: string, delayMs: number) => `${prefix}.${consumer}.retry.${delayMs}`

  const subscribed: Consumer[] = []
  const inHand = new Set<Promise<void>>()
  let link: Link | undefined
  let isClosing = false
  let isDown = false

  const connection = await connect(withHeartbeat(uri), {
    timeout: callMs,
    noDelay: true,
    clientProperties: { connection_name: prefix },
    recovery: { waitForConnect: false, initialDelay: 250, maxDelay: 5_000, jitter: 0.5, setup },
  })
  const firstTry = new Promise((resolve) => connection.once('connect', resolve).once('connect-failed', resolve))
  connection.on('connect', () => {
    isDown = false
    log.info('rabbitmq is connected')
  })
  for (const trouble of ['connect-failed', 'disconnect']) {
    connection.on(trouble, (error: unknown) => {
      // Once per outage.
      if (!isDown && !isClosing) log.warn({ err: error }, 'rabbitmq is out of reach')
      isDown = true
    })
  }
  // Whatever it is, `disconnect` follows; without a listener it would end the process.
  connection.on('error', (error) => log.debug({ err: error }, 'rabbitmq connection error'))
  await within(callMs, 'Connecting to RabbitMQ', firstTry).catch(() => undefined)

  async function setup(model: ChannelModel): Promise<void> {
    // amqplib listens only after setup, and an error nobody listens to ends the process.
    model.on('error', (error) => log.debug({ err: error }, 'rabbitmq connection error'))
    try {
      await within(setupMs, 'Setting up RabbitMQ', open(model))
    } catch (error) {
      // Before it tries again amqplib closes the connection and waits for the answer. Closed once more it answers at once.
      await sayGoodbye(model, model)
      throw error
    }
  }

  async function open(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel()
    const opened: Link = { model, channel, returned: new Set(), isBlocked: false, consuming: [] }
    keepOrDrop(opened, channel)
    channel.on('return', ({ properties }) => opened.returned.add(String(properties.correlationId)))
    model.on('blocked', (reason) => {
      opened.isBlocked = true
      log.warn({ reason }, 'rabbitmq takes no events at the moment')
    })
    model.on('unblocked', () => (opened.isBlocked = false))
    model.on('close', () => {
      if (link === opened) link = undefined
    })
    await declare(channel)
    for (const consumer of subscribed) await consume(opened, consumer)
    link = opened
  }

  /**
   * A queue counts deliveries that ended without an answer, and parks what took 20 workers with it. RabbitMQ 4 does so by
   * default, and drops the message where no dead letter queue is named; 3.10 needs to be told.
   */
  async function declare(channel: Channel): Promise<void> {
    await channel.assertExchange(exchange, 'topic', { durable: true })
    for (const [consumer, type] of Object.entries(consumers)) {
      const queue = queueOf(consumer)
      const { messageCount } = await channel.assertQueue(deadQueueOf(consumer), quorum({}))
      if (messageCount > 0)
        log.warn({ consumer, events: messageCount }, 'events are parked: the replay command tries them again')
      for (const delayMs of delaysMs) {
        await channel.assertQueue(
          waitingQueueOf(consumer, delayMs),
          quorum({ 'x-message-ttl': delayMs, ...handOverTo(queue) }),
        )
      }
      await channel.assertQueue(queue, quorum({ 'x-delivery-limit': 20, ...handOverTo(deadQueueOf(consumer)) }))
      await channel.bindQueue(queue, exchange, type)
    }
  }

  async function consume(on: Link, consumer: Consumer): Promise<void> {
    const channel = await on.model.createChannel()
    keepOrDrop(on, channel)
    await channel.prefetch(prefetch)
    const { consumerTag } = await channel.consume(queueOf(consumer.name), (message) => {
      // Null: the broker has taken the queue away, or moves it to another node.
      if (message === null) return drop(on)
      // Not answered, so it goes to somebody else as soon as this connection ends.
      if (isClosing) return
      const work = receive(on, channel, consumer, message)
        .catch((error: unknown) =>
          log.warn({ err: error, consumer: consumer.name }, 'an event could not be answered and will come again'),
        )
        .finally(() => inHand.delete(work))
      inHand.add(work)
    })
    on.consuming.push({ channel, tag: consumerTag })
  }

  async function receive(on: Link, channel: Channel, consumer: Consumer, message: ConsumeMessage): Promise<void> {
    const attempt = attemptOf(message)
    try {
      await consumer.handle(eventIn(message, consumer))
    } catch (error) {
      const delayMs = error instanceof Malformed ? undefined : delaysMs[attempt - 1]
      const about = { err: error, consumer: consumer.name, event: idOf(message), attempt }
      if (delayMs === undefined) {
        await setAside(on, deadQueueOf(consumer.name), message, attempt)
        log.error(about, 'event parked: the replay command tries again')
      } else {
        await setAside(on, waitingQueueOf(consumer.name, delayMs), message, attempt + 1)
        log.warn({ ...about, delayMs }, 'event failed and will be tried again')
      }
    }
    channel.ack(message)
  }

  /** Keeps at it while the broker takes no events: sending the message back would only make it come again at once. */
  async function setAside(on: Link, queue: string, message: ConsumeMessage, attempt: number): Promise<void> {
    for (;;) {
      try {
        return await send(on, '', queue, message.content, { messageId: idOf(message), attempt })
      } catch (error) {
        if (isClosing || link !== on) throw error
        await sleep(1_000)
      }
    }
  }

  function keepOrDrop(on: Link, channel: Channel): void {
    channel.on('error', (error) => log.warn({ err: error }, 'rabbitmq closed a channel'))
    channel.on('close', () => {
      if (!isClosing) drop(on)
    })
  }

  /** A link without one of its channels is no good: ending it brings a whole new one. */
  function drop(on: Link): void {
    if (link === on) link = undefined
    void sayGoodbye(on.model, on.model)
  }

  function reachable(): Link {
    if (isClosing) throw new Error('The bus is closed')
    if (link === undefined) throw new Error('RabbitMQ is out of reach')
    return link
  }

  return {
    async publish(event) {
      await send(reachable(), exchange, event.type, Buffer.from(JSON.stringify(event)), {
        messageId: event.id,
        attempt: 1,
      })
    },

    async subscribe(consumer) {
      if (consumers[consumer.name] !== consumer.type) throw new Error(`There is no queue for ${consumer.name}`)
      subscribed.push(consumer)
      const on = link
      // Should it fail, the next connection subscribes.
      if (on !== undefined) await within(callMs, 'Subscribing', consume(on, consumer)).catch(() => drop(on))
    },

    async replay() {
      const on = reachable()
      let count = 0
      for (const consumer of Object.keys(consumers)) {
        count += await replayQueue(on, deadQueueOf(consumer), queueOf(consumer))
      }
      return count
    },

    async check() {
      // Nobody waits for it, so it comes back: but it went through the same doors as an event.
      await deliver(reachable(), exchange, 'check', Buffer.from('{}'), { messageId: 'check', attempt: 1 })
    },

    async close() {
      isClosing = true
      const last = link
      const consuming = last?.consuming ?? []
      await Promise.allSettled(
        consuming.map(({ channel, tag }) => within(goodbyeMs, 'Unsubscribing', channel.cancel(tag))),
      )
      await Promise.allSettled(inHand)
      // Closing the connection overtakes what channels have yet to send; closing a channel comes after its acknowledgements.
      await Promise.allSettled(consuming.map(({ channel }) => within(goodbyeMs, 'Closing a channel', channel.close())))
      await sayGoodbye(connection, last?.model)
    },
  }
}

function quorum(args: Record<string, unknown>) {
  return { durable: true, arguments: { 'x-queue-type': 'quorum', ...args } }
}

/** Where the broker puts what leaves a queue unanswered. At least once: by default it would forget what it cannot put there. */
function handOverTo(queue: string): Record<string, unknown> {
  return {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  }
}

function attemptOf(message: ConsumeMessage): number {
  const attempt: unknown = message.properties.headers?.[attemptHeader]
  return typeof attempt === 'number' && attempt >= 1 ? attempt : 1
}

function eventIn(message: ConsumeMessage, consumer: Consumer): ChatEvent {
  let event: ChatEvent
  try {
    event = parseEvent(message.content.toString())
  } catch (error) {
    throw new Malformed('Not an event', { cause: error })
  }
  if (event.type !== consumer.type) throw new Malformed(`${event.type} is nothing for ${consumer.name}`)
  return event
}

/** Without one, a broker that vanished would be noticed when TCP gives up, after minutes. */
function withHeartbeat(uri: string): string {
  const url = new URL(uri)
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', heartbeatSeconds)
  return url.href
}
