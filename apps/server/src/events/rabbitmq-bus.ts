import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Connection, type AsyncMessage, type Consumer as Subscription, type Envelope } from 'rabbitmq-client'
import { retryDelaysMs, type Bus, type Consumer } from './bus.js'
import { parseEvent, type ChatEvent, type EventType } from './events.js'
import { within } from '../platform/deadline.js'
import type { Log } from '../platform/log.js'

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

type Message = Pick<AsyncMessage, 'messageId' | 'body'>

/** The message itself is at fault: trying again cannot help. */
class Malformed extends Error {}

/** How long the broker may take to answer, and to say goodbye. */
const callMs = 5_000
const goodbyeMs = 2_000
/** Without one, a broker that vanished would be noticed when TCP gives up, after minutes. */
const heartbeatSeconds = 10
const prefetch = 10
/** Counts the attempts of a consumer. */
const attemptHeader = 'chat-attempt'

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

  const subscriptions: Subscription[] = []
  const inHand = new Set<Promise<void>>()
  /** Tickets of messages that no queue took. */
  const returned = new Set<string>()
  let declared: Promise<void> | undefined

  const connection = new Connection({
    url: uri,
    connectionName: prefix,
    connectionTimeout: callMs,
    heartbeat: heartbeatSeconds,
    noDelay: true,
    retryLow: 250,
    retryHigh: 5_000,
    ...serverName(uri),
  })
  connection.on('connection', () => {
    declared = undefined
    log.info('rabbitmq is connected')
  })
  // The library says so once per outage.
  connection.on('error', (error) => log.warn({ err: error }, 'rabbitmq is out of reach'))
  connection.on('connection.blocked', (reason) => log.warn({ reason }, 'rabbitmq takes no events at the moment'))
  const publisher = connection.createPublisher({ confirm: true })
  publisher.on('basic.return', ({ correlationId }) => returned.add(String(correlationId)))
  const firstTry = once(connection, 'connection').then(declareOnce)
  await within(callMs, 'Connecting to RabbitMQ', firstTry).catch(() => undefined)

  function declareOnce(): Promise<void> {
    return (declared ??= declare().catch((error: unknown) => {
      declared = undefined
      throw error
    }))
  }

  /**
   * Not by the library, which would do it as soon as a publish fails. When somebody has removed a queue, its consumer
   * must hear of it before there is a new one: else RabbitMQ takes it for a consumer of the new one, and it gets nothing.
   */
  async function declare(): Promise<void> {
    await connection.exchangeDeclare({ exchange, type: 'topic', durable: true })
    for (const [consumer, routingKey] of Object.entries(consumers)) {
      const queue = queueOf(consumer)
      await connection.queueDeclare({ queue: deadQueueOf(consumer), ...quorum({}) })
      for (const delayMs of delaysMs) {
        const args = { 'x-message-ttl': delayMs, ...handOverTo(queue) }
        await connection.queueDeclare({ queue: waitingQueueOf(consumer, delayMs), ...quorum(args) })
      }
      await connection.queueDeclare({ queue, ...workQueue(consumer) })
      await connection.queueBind({ exchange, queue, routingKey })
    }
  }

  /**
   * A queue counts deliveries that ended without an answer, and parks what took 20 workers with it. RabbitMQ 4 does so by
   * default, and drops the message where no dead letter queue is named; 3.10 needs to be told.
   */
  function workQueue(consumer: string) {
    return quorum({ 'x-delivery-limit': 20, ...handOverTo(deadQueueOf(consumer)) })
  }

  /** Resolves once the broker has confirmed the message, which it also does when there is no queue for it. */
  async function confirmed(envelope: Envelope, body: unknown): Promise<void> {
    if (!connection.ready) throw new Error('RabbitMQ is out of reach, or takes no events at the moment')
    const sent = declareOnce().then(() => publisher.send(envelope, body))
    await within(callMs, 'The confirmation of RabbitMQ', sent)
  }

  /** Nobody waits for it: but it goes through the same doors as an event. */
  const check = () => confirmed({ exchange, routingKey: 'check' }, {})

  /** Resolves once the broker has written the message to a queue. @throws when it has not, and when no queue takes it. */
  async function send(via: string, routingKey: string, { messageId, body }: Message, attempt: number): Promise<void> {
    const ticket = randomUUID()
    const about = { messageId, correlationId: ticket, headers: { [attemptHeader]: attempt } }
    await confirmed({ exchange: via, routingKey, durable: true, mandatory: true, ...about }, body)
    // The broker sends back what no queue takes before it confirms; the library tells of it a turn after.
    await nextTurn()
    if (returned.delete(ticket)) throw new Error(`No queue takes ${routingKey}`)
  }

  async function receive(consumer: Consumer, message: AsyncMessage): Promise<void> {
    try {
      await consumer.handle(eventIn(message, consumer))
    } catch (error) {
      await setAside(error, consumer, message).catch(async (reason: unknown) => {
        // From here it goes back to its queue, and comes again at once.
        await sleep(1_000)
        throw reason
      })
    }
  }

  async function setAside(error: unknown, consumer: Consumer, message: AsyncMessage): Promise<void> {
    const attempt = attemptOf(message)
    const delayMs = error instanceof Malformed ? undefined : delaysMs[attempt - 1]
    const about = { err: error, consumer: consumer.name, event: message.messageId, attempt }
    if (delayMs === undefined) {
      await send('', deadQueueOf(consumer.name), message, attempt)
      log.error(about, 'event parked: the replay command tries again')
    } else {
      await send('', waitingQueueOf(consumer.name, delayMs), message, attempt + 1)
      log.warn({ ...about, delayMs }, 'event failed and will be tried again')
    }
  }

  /** Each connection begins so, and a consumer whose queue somebody has removed, perhaps with everything else. */
  async function prepare(consumer: string): Promise<void> {
    declared = undefined
    await declareOnce()
    const { messageCount } = await connection.queueDeclare({ queue: deadQueueOf(consumer), passive: true })
    if (messageCount > 0)
      log.warn({ consumer, events: messageCount }, 'events are parked: the replay command tries them again')
  }

  return {
    publish: (event) => send(exchange, event.type, { messageId: event.id, body: event }, 1),

    async subscribe(consumer) {
      const { name } = consumer
      if (consumers[name] !== consumer.type) throw new Error(`There is no queue for ${name}`)
      const subscription = connection.createConsumer(
        {
          queue: queueOf(name),
          queueOptions: workQueue(name),
          qos: { prefetchCount: prefetch },
          // Only with a limit does the library begin nothing while it closes.
          concurrency: prefetch,
        },
        (message) => {
          const work = receive(consumer, message).finally(() => inHand.delete(work))
          inHand.add(work)
          return work
        },
      )
      const warn = (error: unknown) =>
        log.warn({ err: error, consumer: name }, 'receiving events was interrupted, and goes on by itself')
      subscription.on('error', warn)
      subscription.on('ready', () => void prepare(name).catch(warn))
      subscriptions.push(subscription)
    },

    async replay() {
      await check()
      let count = 0
      const channel = await connection.acquire()
      try {
        for (const consumer of Object.keys(consumers)) {
          const queue = deadQueueOf(consumer)
          // What dies again at once is not taken again: the count is of before.
          const { messageCount } = await channel.queueDeclare({ queue, passive: true })
          for (let left = messageCount; left > 0; left -= 1) {
            const message = await channel.basicGet(queue)
            if (message === undefined) break
            await send('', queueOf(consumer), message, 1)
            channel.basicAck({ deliveryTag: message.deliveryTag })
            count += 1
          }
        }
        return count
      } finally {
        await channel.close()
      }
    },

    check,

    async close() {
      const unsubscribed = Promise.allSettled(subscriptions.map((subscription) => subscription.close()))
      await Promise.allSettled(inHand)
      const goodbye = unsubscribed.then(() => publisher.close()).then(() => connection.close())
      await within(goodbyeMs, 'Disconnecting', goodbye).catch(() => undefined)
      connection.unsafeDestroy()
    },
  }
}

function quorum(args: Record<string, unknown>) {
  return { durable: true, arguments: { 'x-queue-type': 'quorum' as const, ...args } }
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

function attemptOf(message: AsyncMessage): number {
  const attempt: unknown = message.headers?.[attemptHeader]
  return typeof attempt === 'number' && attempt >= 1 ? attempt : 1
}

/** The library has read the JSON; a body that is none it hands over as it came. */
function eventIn({ body }: AsyncMessage, consumer: Consumer): ChatEvent {
  let event: ChatEvent
  try {
    event = parseEvent(body)
  } catch (error) {
    throw new Malformed('Not an event', { cause: error })
  }
  if (event.type !== consumer.type) throw new Malformed(`${event.type} is nothing for ${consumer.name}`)
  return event
}

/** By TLS a broker behind a shared address wants to know whom it is asked for. */
function serverName(uri: string) {
  const { protocol, hostname } = new URL(uri)
  return protocol === 'amqps:' && isIP(hostname) === 0 ? { tls: { servername: hostname } } : {}
}
