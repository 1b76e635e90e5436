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
   * All consumers by name, with the type of event that each one handles. Every process that connects declares the queues
   * of all of them, so that no event can be published before the queues of its consumers exist.
   */
  consumers: Readonly<Record<string, EventType>>
  log: Log
  /** Delays before the next attempts of a consumer that fails. After the last attempt the event is parked. */
  delaysMs?: readonly number[]
  /** Prefix of every name in the broker. */
  prefix?: string
}

type Message = Pick<AsyncMessage, 'messageId' | 'body'>

/** The message itself is wrong, so another attempt cannot help. */
class Malformed extends Error {}

/** Timeouts for an answer of the broker, and for disconnecting. */
const callMs = 5_000
const disconnectMs = 2_000
/** Without a heartbeat, only TCP would notice that the broker has vanished, after minutes. */
const heartbeatSeconds = 10
const prefetch = 10
/** The header with the number of the attempt. */
const attemptHeader = 'chat-attempt'

/**
 * Events through RabbitMQ 3.10 or later: a topic exchange, and for each consumer a queue, a retry queue per delay, and a
 * dead queue for parked events. All of them are durable quorum queues, which survive the loss of a node.
 *
 * Resolves after the first attempt to connect, even when it failed. While the broker is out of reach, all calls fail at
 * once. The connection, its queues and its consumers come back by themselves.
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
  // The name contains the delay, because the delay of an existing queue cannot change. Messages in a queue with an earlier
  // delay still return to their consumer.
  const waitingQueueOf = (consumer: string, delayMs: number) => `${prefix}.${consumer}.retry.${delayMs}`

  const subscriptions: Subscription[] = []
  const inHand = new Set<Promise<void>>()
  /** Correlation ids of messages that no queue accepted. */
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
  // The library reports it once per outage.
  connection.on('error', (error) => log.warn({ err: error }, 'rabbitmq is out of reach'))
  connection.on('connection.blocked', (reason) => log.warn({ reason }, 'rabbitmq accepts no events at the moment'))
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
   * Declares the exchange and the queues. The library could do this, but it would do so as soon as a publish fails. When
   * a queue was deleted, its consumer must notice that before the queue is declared again. Otherwise RabbitMQ treats it as
   * a consumer of the new queue, and it gets no messages.
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
   * The queue counts deliveries without an acknowledgement, and parks a message after 20 of them, for example when it
   * crashes the worker. RabbitMQ 4 has this limit by default, and drops the message if there is no dead letter queue.
   * RabbitMQ 3.10 has no default limit.
   */
  function workQueue(consumer: string) {
    return quorum({ 'x-delivery-limit': 20, ...handOverTo(deadQueueOf(consumer)) })
  }

  /** Resolves when the broker has confirmed the message. It also confirms a message that no queue accepts. */
  async function confirmed(envelope: Envelope, body: unknown): Promise<void> {
    if (!connection.ready) throw new Error('RabbitMQ is out of reach, or accepts no events at the moment')
    const sent = declareOnce().then(() => publisher.send(envelope, body))
    await within(callMs, 'The confirmation of RabbitMQ', sent)
  }

  /** Publishes a message that no queue accepts, in the same way as an event. */
  const check = () => confirmed({ exchange, routingKey: 'check' }, {})

  /** Resolves when the broker has stored the message in a queue. @throws when it has not, or when no queue accepts the message. */
  async function send(via: string, routingKey: string, { messageId, body }: Message, attempt: number): Promise<void> {
    const ticket = randomUUID()
    const about = { messageId, correlationId: ticket, headers: { [attemptHeader]: attempt } }
    await confirmed({ exchange: via, routingKey, durable: true, mandatory: true, ...about }, body)
    // The broker returns a message that no queue accepts before it confirms it. The library reports the return one turn later.
    await nextTurn()
    if (returned.delete(ticket)) throw new Error(`No queue accepts ${routingKey}`)
  }

  async function receive(consumer: Consumer, message: AsyncMessage): Promise<void> {
    try {
      await consumer.handle(eventIn(message, consumer))
    } catch (error) {
      await setAside(error, consumer, message).catch(async (reason: unknown) => {
        // When this function throws, the message returns to its queue and is delivered again at once.
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
      log.error(about, 'event parked. To try it again, run the replay task')
    } else {
      await send('', waitingQueueOf(consumer.name, delayMs), message, attempt + 1)
      log.warn({ ...about, delayMs }, 'event failed and will be tried again')
    }
  }

  /** Runs for each new connection, and when the queue of a consumer was deleted, perhaps with all other queues. */
  async function prepare(consumer: string): Promise<void> {
    declared = undefined
    await declareOnce()
    const { messageCount } = await connection.queueDeclare({ queue: deadQueueOf(consumer), passive: true })
    if (messageCount > 0)
      log.warn({ consumer, events: messageCount }, 'events are parked. To try them again, run the replay task')
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
          // Without a limit, the library would start new work while it closes.
          concurrency: prefetch,
        },
        (message) => {
          const work = receive(consumer, message).finally(() => inHand.delete(work))
          inHand.add(work)
          return work
        },
      )
      const warn = (error: unknown) =>
        log.warn({ err: error, consumer: name }, 'receiving events was interrupted and resumes by itself')
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
          // The messages are counted first, so that an event that fails again at once is replayed only once.
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
      const disconnected = unsubscribed.then(() => publisher.close()).then(() => connection.close())
      await within(disconnectMs, 'Disconnecting', disconnected).catch(() => undefined)
      connection.unsafeDestroy()
    },
  }
}

function quorum(args: Record<string, unknown>) {
  return { durable: true, arguments: { 'x-queue-type': 'quorum' as const, ...args } }
}

/** Dead letters go to this queue, at least once: by default the broker would drop a message that the queue does not accept. */
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

/** The library has parsed the JSON. It passes on a body that is not JSON unchanged. */
function eventIn({ body }: AsyncMessage, consumer: Consumer): ChatEvent {
  let event: ChatEvent
  try {
    event = parseEvent(body)
  } catch (error) {
    throw new Malformed('Not an event', { cause: error })
  }
  if (event.type !== consumer.type) throw new Malformed(`${consumer.name} does not handle ${event.type}`)
  return event
}

/** With TLS, a broker behind a shared IP address needs the host name of the broker that the client wants. */
function serverName(uri: string) {
  const { protocol, hostname } = new URL(uri)
  return protocol === 'amqps:' && isIP(hostname) === 0 ? { tls: { servername: hostname } } : {}
}
