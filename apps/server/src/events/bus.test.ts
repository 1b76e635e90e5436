import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { freshDatabase, quiet, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { removeQueues } from '../test/rabbitmq.js'
import type { Bus, Consumer } from './bus.js'
import { parseEvent, type ChatEvent, type EventType } from './events.js'
import { createInProcessBus } from './in-process-bus.js'
import { recordEvent, type NewEvent } from './outbox.js'
import { createRabbitmqBus } from './rabbitmq-bus.js'
import { createRelay, type Relay } from './relay.js'

// `eventually` has its own timeout.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const amqpUri = process.env.TEST_AMQP_URI
const delaysMs = [50, 100]
const consumers = { greeter: 'member.joined', counter: 'member.joined', postman: 'account.registered' } as const

const buses = [
  { name: 'in-process', uri: undefined },
  ...(amqpUri === undefined ? [] : [{ name: 'RabbitMQ', uri: amqpUri }]),
]

describe.each(buses)('events through the $name bus', ({ uri }) => {
  let database: FreshDatabase
  let bus: Bus
  let relay: Relay
  let prefix: string

  beforeEach(async () => {
    database = await freshDatabase()
    prefix = `test-${randomUUID()}`
    bus =
      uri === undefined
        ? createInProcessBus({ db: database.db })
        : await createRabbitmqBus({ uri, consumers, log: quiet, delaysMs, prefix })
    relay = createRelay({ db: database.db, bus, log: quiet, pollMs: 10, delaysMs })
  })
  afterEach(async () => {
    await relay.stop()
    await bus.close()
    await database.close()
    if (uri !== undefined) await removeQueues(uri, prefix, Object.keys(consumers), delaysMs)
  })

  it('reach every consumer of their type, and no other', async () => {
    const heard: string[] = []
    await bus.subscribe(consumer('greeter', async (event) => void heard.push(`greeter ${event.type}`)))
    await bus.subscribe(consumer('counter', async (event) => void heard.push(`counter ${event.type}`)))
    await bus.subscribe(consumer('postman', async (event) => void heard.push(`postman ${event.type}`)))
    relay.start()
    await recordEvent(database.db, joined())
    await recordEvent(database.db, { type: 'account.registered', payload: { accountId: randomUUID() } })
    await eventually(() => expect(heard).toHaveLength(3))
    expect(heard.toSorted()).toEqual(['counter member.joined', 'greeter member.joined', 'postman account.registered'])
  })

  it('arrive as they were recorded', async () => {
    const heard: ChatEvent[] = []
    await bus.subscribe(consumer('greeter', async (event) => void heard.push(event)))
    const event = joined()
    await recordEvent(database.db, event)
    const [row] = await database.db.query<{ id: string }>('select id from outbox')
    relay.start()
    await eventually(() => expect(heard).toEqual([{ id: row?.id, ...event }]))
  })

  it('come again later to a consumer that failed, without delaying the others', async () => {
    const attempts: number[] = []
    const others = vi.fn(async () => undefined)
    await bus.subscribe(
      consumer('greeter', async () => {
        attempts.push(Date.now())
        if (attempts.length < 3) throw new Error('not yet')
      }),
    )
    await bus.subscribe(consumer('counter', others))
    relay.start()
    await recordEvent(database.db, joined())
    await eventually(() => expect(attempts).toHaveLength(3))
    const [first = 0, second = 0, third = 0] = attempts
    expect(second - first).toBeGreaterThanOrEqual(delaysMs[0] as number)
    expect(third - second).toBeGreaterThanOrEqual(delaysMs[1] as number)
    expect(others).toHaveBeenCalled()
    // The event is finished now, and not parked.
    await eventually(async () => expect(await database.db.query('select from outbox')).toEqual([]))
    expect(await bus.replay()).toBe(0)
  })

  it('are parked when they fail every time, and are tried again after a replay', async () => {
    let isPoison = true
    const handled: string[] = []
    await bus.subscribe(
      consumer('greeter', async ({ id }) => {
        handled.push(id)
        if (isPoison) throw new Error('poison')
      }),
    )
    relay.start()
    await recordEvent(database.db, joined())
    await eventually(() => expect(handled).toHaveLength(delaysMs.length + 1))
    isPoison = false
    // The event is parked a moment after the handler has thrown.
    await eventually(async () => expect(await bus.replay()).toBe(1))
    await eventually(() => expect(handled).toHaveLength(delaysMs.length + 2))
    expect(new Set(handled).size).toBe(1)
    expect(await bus.replay()).toBe(0)
  })

  it('have as many attempts after a replay as before it', async () => {
    let attempts = 0
    await bus.subscribe(
      consumer('greeter', async () => {
        attempts += 1
        throw new Error('poison')
      }),
    )
    relay.start()
    await recordEvent(database.db, joined())
    await eventually(async () => expect(await bus.replay()).toBe(1))
    await eventually(async () => expect(await bus.replay()).toBe(1))
    await eventually(() => expect(attempts).toBeGreaterThanOrEqual(2 * (delaysMs.length + 1)))
  })

  it('are finished before the bus closes', async () => {
    let finish = () => {}
    const handle = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)))
    await bus.subscribe(consumer('greeter', handle))
    relay.start()
    await recordEvent(database.db, joined())
    await eventually(() => expect(handle).toHaveBeenCalledOnce())
    let isClosed = false
    const closing = bus.close().then(() => (isClosed = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isClosed).toBe(false)
    finish()
    await closing
  })

  it('are refused by a closed bus', async () => {
    await bus.check()
    await bus.close()
    await expect(bus.publish({ id: randomUUID(), ...joined() })).rejects.toThrow()
    await expect(bus.check()).rejects.toThrow()
  })
})

describe('reading an event', () => {
  it('refuses other values, an event of an unknown type, and an event without its fields', () => {
    expect(() => parseEvent('nonsense')).toThrow()
    expect(() => parseEvent({ id: randomUUID(), type: 'room.exploded', payload: {} })).toThrow()
    expect(() => parseEvent({ id: randomUUID(), type: 'member.joined', payload: { roomId: randomUUID() } })).toThrow()
    const event = { id: randomUUID(), ...joined() }
    expect(parseEvent(event)).toEqual(event)
  })
})

function consumer(name: keyof typeof consumers, handle: (event: ChatEvent) => Promise<void>): Consumer {
  const type: EventType = consumers[name]
  return { name, type, handle }
}

function joined() {
  return { type: 'member.joined', payload: { roomId: randomUUID(), accountId: randomUUID() } } satisfies NewEvent
}
