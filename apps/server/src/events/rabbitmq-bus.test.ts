import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { quiet } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { startProxy, type Proxy } from '../test/proxy.js'
import { removeQueues, withChannel } from '../test/rabbitmq.js'
import type { Bus, Consumer } from './bus.js'
import type { ChatEvent } from './events.js'
import { Unavailable } from '../platform/errors.js'
import { createRabbitmqBus } from './rabbitmq-bus.js'

// `eventually` has its own timeout.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const uri = process.env.TEST_AMQP_URI ?? ''
const consumers = { greeter: 'member.joined' } as const
const delaysMs = [50]

describe.runIf(uri !== '')('RabbitMQ', () => {
  let proxy: Proxy
  let prefix: string
  let queue: string
  let buses: Bus[]

  beforeEach(async () => {
    prefix = `test-${randomUUID()}`
    queue = `${prefix}.greeter`
    buses = []
    const { hostname, port } = new URL(uri)
    proxy = await startProxy({ host: hostname, port: Number(port === '' ? 5672 : port) })
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await proxy.mend()
    await Promise.all(buses.map((bus) => bus.close()))
    await proxy.close()
    await removeQueues(uri, prefix, Object.keys(consumers), delaysMs)
  })

  /** A bus whose connection goes through the proxy. */
  async function connectBus(): Promise<Bus> {
    const through = new URL(uri)
    through.host = `127.0.0.1:${proxy.port}`
    const bus = await createRabbitmqBus({ uri: through.href, consumers, log: quiet, delaysMs, prefix })
    buses.push(bus)
    return bus
  }

  it('keeps events for a consumer that starts later', async () => {
    const [publisher, worker] = [await connectBus(), await connectBus()]
    const event = joined()
    await publisher.publish(event)
    const handle = vi.fn(async () => undefined)
    await worker.subscribe(greeter(handle))
    await eventually(() => expect(handle).toHaveBeenCalledWith(event))
  })

  it('refuses an event that no queue accepts', async () => {
    const bus = await connectBus()
    await expect(
      bus.publish({ id: randomUUID(), type: 'account.registered', payload: { accountId: randomUUID() } }),
    ).rejects.toThrow('No queue accepts account.registered')
    await bus.publish(joined())
  })

  it('delivers each event to one of several workers', async () => {
    const handled: string[] = []
    const [first, second] = [await connectBus(), await connectBus()]
    for (const worker of [first, second]) await worker.subscribe(greeter(async ({ id }) => void handled.push(id)))
    const events = Array.from({ length: 100 }, joined)
    await Promise.all(events.map((event) => first.publish(event)))
    await eventually(() => expect(handled).toHaveLength(100))
    expect(handled.toSorted()).toEqual(events.map(({ id }) => id).toSorted())
  })

  it('delivers an event again when its worker died before the acknowledgement', async () => {
    const [publisher, worker] = [await createSteadyBus(), await connectBus()]
    const handled: string[] = []
    await worker.subscribe(
      greeter(async ({ id }) => {
        handled.push(id)
        // The event is handled, but its acknowledgement is lost.
        if (handled.length === 1) proxy.cut()
      }),
    )
    const event = joined()
    await publisher.publish(event)
    await eventually(() => expect(handled).toEqual([event.id, event.id]))
    await eventually(async () => expect(await waiting(queue)).toBe(0))
  })

  it('may be out of reach at the start: publishing fails until it is back', async () => {
    await proxy.refuse()
    const bus = await connectBus()
    const handle = vi.fn(async () => undefined)
    await bus.subscribe(greeter(handle))
    await expect(bus.publish(joined())).rejects.toThrow('out of reach')
    await expect(bus.check()).rejects.toThrow('out of reach')
    await proxy.mend()
    const event = joined()
    await eventually(() => bus.publish(event))
    await eventually(() => expect(handle).toHaveBeenCalledWith(event))
  })

  it('publishes and consumes again after the connection was cut', async () => {
    const bus = await connectBus()
    const handle = vi.fn(async () => undefined)
    await bus.subscribe(greeter(handle))
    for (let time = 0; time < 3; time += 1) {
      proxy.cut()
      await eventually(() => expect(bus.check()).rejects.toThrow())
      const event = joined()
      await eventually(() => bus.publish(event))
      await eventually(() => expect(handle).toHaveBeenCalledWith(event))
    }
  })

  it('that does not answer makes a publish fail after some seconds', async () => {
    const bus = await connectBus()
    proxy.freeze()
    await expect(bus.publish(joined())).rejects.toBeInstanceOf(Unavailable)
    await proxy.mend()
    await eventually(() => bus.publish(joined()))
  })

  it('that does not answer does not prevent the process from stopping', async () => {
    const bus = await connectBus()
    await bus.subscribe(greeter(async () => undefined))
    proxy.freeze()
    await bus.close()
  })

  it('that stops answering while a connection is opened is tried again', async () => {
    await proxy.refuse()
    const bus = await connectBus()
    await proxy.mend()
    proxy.freeze()
    const before = proxy.taken()
    await eventually(() => expect(proxy.taken()).toBeGreaterThan(before))
    await proxy.mend()
    await eventually(() => bus.publish(joined()))
  })

  it('parks messages that are no events at once, and a replay tries each of them once', async () => {
    const bus = await connectBus()
    const handle = vi.fn(async () => undefined)
    await bus.subscribe(greeter(handle))
    const parked = vi.spyOn(quiet, 'error')
    await withChannel(uri, async (channel) => {
      const nonsense = [
        Buffer.from('nonsense'),
        {},
        { ...joined(), payload: {} },
        { ...joined(), type: 'room.exploded' },
      ]
      const to = { exchange: `${prefix}.events`, routingKey: 'member.joined', contentType: 'application/json' }
      for (const body of nonsense) await channel.basicPublish(to, body)
      const misled = { id: randomUUID(), type: 'account.registered', payload: { accountId: randomUUID() } }
      await channel.basicPublish(queue, misled)
    })
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(5))
    expect(parked).toHaveBeenCalledTimes(5)
    expect(await bus.replay()).toBe(5)
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(5))
    expect(handle).not.toHaveBeenCalled()
    // The handler works: it handles a real event.
    await bus.publish(joined())
    await eventually(() => expect(handle).toHaveBeenCalledOnce())
  })

  it('parks an event that has crashed many workers', async () => {
    const bus = await connectBus()
    await bus.publish(joined())
    await withChannel(uri, async (channel) => {
      for (let death = 0; death < 50; death += 1) {
        const message = await channel.basicGet(queue)
        if (message !== undefined) channel.basicNack(message)
      }
    })
    await eventually(async () => expect(await waiting(`${queue}.dead`)).toBe(1))
    expect(await bus.replay()).toBe(1)
    expect(await waiting(`${queue}.dead`)).toBe(0)
  })

  it('logs an error with the reason when an event is parked', async () => {
    const parked = vi.spyOn(quiet, 'error')
    const bus = await connectBus()
    const poison = new Error('poison')
    await bus.subscribe(greeter(() => Promise.reject(poison)))
    const event = joined()
    await bus.publish(event)
    await eventually(() =>
      expect(parked).toHaveBeenCalledWith(
        expect.objectContaining({ err: poison, consumer: 'greeter', event: event.id }),
        expect.any(String),
      ),
    )
  })

  it('declares its queues again after they were deleted', async () => {
    const bus = await connectBus()
    const handle = vi.fn(async () => undefined)
    await bus.subscribe(greeter(handle))
    await removeQueues(uri, prefix, Object.keys(consumers), delaysMs)
    const event = joined()
    await eventually(() => bus.publish(event))
    await eventually(() => expect(handle).toHaveBeenCalledWith(event))
  })

  it('has no consumer after the bus is closed, and loses no event that was not handled', async () => {
    const bus = await connectBus()
    let finish = () => {}
    const handle = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)))
    await bus.subscribe(greeter(handle))
    await bus.publish(joined())
    await eventually(() => expect(handle).toHaveBeenCalledOnce())
    const closing = bus.close()
    const publisher = await createSteadyBus()
    await publisher.publish(joined())
    finish()
    await closing
    await eventually(async () => expect(await waiting(queue)).toBe(1))
    expect(handle).toHaveBeenCalledOnce()
    expect(await withChannel(uri, (channel) => channel.queueDeclare({ queue, passive: true }))).toMatchObject({
      consumerCount: 0,
    })
  })

  it('refuses a consumer without a queue', async () => {
    const bus = await connectBus()
    await expect(
      bus.subscribe({ name: 'stranger', type: 'member.joined', handle: async () => undefined }),
    ).rejects.toThrow('stranger')
  })

  /** A bus whose connection does not go through the proxy. */
  async function createSteadyBus(): Promise<Bus> {
    const bus = await createRabbitmqBus({ uri, consumers, log: quiet, delaysMs, prefix })
    buses.push(bus)
    return bus
  }

  async function waiting(name: string): Promise<number> {
    return (await withChannel(uri, (channel) => channel.queueDeclare({ queue: name, passive: true }))).messageCount
  }
})

function greeter(handle: (event: ChatEvent) => Promise<void>): Consumer {
  return { name: 'greeter', type: 'member.joined', handle }
}

function joined() {
  return {
    id: randomUUID(),
    type: 'member.joined',
    payload: { roomId: randomUUID(), accountId: randomUUID() },
  } satisfies ChatEvent
}
