import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { freshDatabase, quiet, type FreshDatabase } from '../test/database.js'
import { eventually } from '../test/eventually.js'
import { ConsumerFailed, type Bus } from './bus.js'
import type { ChatEvent } from './events.js'
import { recordEvent } from './outbox.js'
import { createRelay, type Relay } from './relay.js'

// `eventually` has its own timeout.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let database: FreshDatabase
let relays: Relay[]

beforeEach(async () => {
  database = await freshDatabase()
  relays = []
})
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()))
  await database.close()
})

describe('the relay', () => {
  it('publishes an event, and deletes it when the bus has accepted it', async () => {
    const { bus, published } = listeningBus()
    const accountId = await recordRegistration()
    start(bus)
    await eventually(async () => expect(await outbox()).toEqual([]))
    expect(published).toMatchObject([{ type: 'account.registered', payload: { accountId } }])
  })

  it('publishes nothing that was rolled back', async () => {
    const { bus, published } = listeningBus()
    const change = database.db.transaction(async (tx) => {
      await recordEvent(tx, { type: 'account.registered', payload: { accountId: randomUUID() } })
      throw new Error('the change did not happen')
    })
    await expect(change).rejects.toThrow()
    const accountId = await recordRegistration()
    start(bus)
    await eventually(() => expect(published).toHaveLength(1))
    expect(published).toMatchObject([{ payload: { accountId } }])
  })

  it('keeps all events while the bus is out of reach, without counting attempts', async () => {
    const { bus, published } = listeningBus()
    const isOutOfReach = vi.spyOn(bus, 'publish').mockRejectedValue(new Error('out of reach'))
    for (let n = 0; n < 3; n += 1) await recordRegistration()
    start(bus, { delaysMs: [] })
    await eventually(() => expect(isOutOfReach.mock.calls.length).toBeGreaterThan(6))
    expect(await outbox()).toHaveLength(3)
    isOutOfReach.mockRestore()
    await eventually(async () => expect(await outbox()).toEqual([]))
    expect(published).toHaveLength(3)
  })

  it('is not delayed by an event that the bus does not accept', async () => {
    const { bus, published } = listeningBus()
    const unwanted = await recordRegistration()
    const publish = bus.publish.bind(bus)
    vi.spyOn(bus, 'publish').mockImplementation(async (event) => {
      if ('accountId' in event.payload && event.payload.accountId === unwanted) throw new Error('no queue accepts it')
      await publish(event)
    })
    for (let n = 0; n < 30; n += 1) await recordRegistration()
    start(bus)
    await eventually(() => expect(published).toHaveLength(30))
    await eventually(async () => expect(await outbox()).toMatchObject([{ attempts: 0, isParked: false }]))
  })

  it('tries an event again after its consumer failed, and parks it after the last delay', async () => {
    const { bus } = listeningBus()
    const publish = vi
      .spyOn(bus, 'publish')
      .mockRejectedValue(new ConsumerFailed('greet-newcomer', new Error('poison')))
    await recordRegistration()
    start(bus, { pollMs: 10, delaysMs: [1, 1] })
    await eventually(async () => expect(await outbox()).toMatchObject([{ attempts: 3, isParked: true }]))
    expect(publish).toHaveBeenCalledTimes(3)
  })

  it('waits as long as the delay says', async () => {
    const { bus } = listeningBus()
    vi.spyOn(bus, 'publish').mockRejectedValue(new ConsumerFailed('greet-newcomer', new Error('not now')))
    await recordRegistration()
    start(bus, { pollMs: 10, delaysMs: [3_600_000] })
    await eventually(async () =>
      expect(await outbox()).toMatchObject([{ attempts: 1, isParked: false, minutesToWait: 60 }]),
    )
  })

  it('loses no event when its process dies: another relay publishes it after the lease', async () => {
    const { bus: dyingBus } = listeningBus()
    const begun = vi.spyOn(dyingBus, 'publish').mockReturnValue(new Promise(() => undefined))
    const accountId = await recordRegistration()
    // This relay is never stopped, because its round does not end.
    createRelay({ db: database.db, bus: dyingBus, log: quiet, leaseMs: 300 }).start()
    await eventually(() => expect(begun).toHaveBeenCalledOnce())

    const { bus, published } = listeningBus()
    start(bus, { pollMs: 10 })
    await eventually(() => expect(published).toMatchObject([{ payload: { accountId } }]))
    await eventually(async () => expect(await outbox()).toEqual([]))
  })

  it('shares the work with another relay: every event is published by one of the two', async () => {
    const { bus, published } = listeningBus()
    const accountIds: string[] = []
    for (let n = 0; n < 200; n += 1) accountIds.push(await recordRegistration())
    start(bus, { pollMs: 10 })
    start(bus, { pollMs: 10 })
    await eventually(async () => expect(await outbox()).toEqual([]))
    const handled = published.map(({ payload }) => payload.accountId)
    expect(handled.toSorted()).toEqual(accountIds.toSorted())
  })

  it('finishes the current batch before it stops', async () => {
    const { bus } = listeningBus()
    let confirm = () => {}
    const publish = vi.spyOn(bus, 'publish').mockReturnValue(new Promise((resolve) => (confirm = resolve)))
    await recordRegistration()
    const relay = start(bus)
    await eventually(() => expect(publish).toHaveBeenCalledOnce())
    let hasStopped = false
    const stopping = relay.stop().then(() => (hasStopped = true))
    expect(await outbox()).toHaveLength(1)
    expect(hasStopped).toBe(false)
    confirm()
    await stopping
    expect(await outbox()).toEqual([])
  })
})

function start(bus: Bus, options: { pollMs?: number; leaseMs?: number; delaysMs?: number[] } = {}): Relay {
  const relay = createRelay({ db: database.db, bus, log: quiet, ...options })
  relays.push(relay)
  relay.start()
  return relay
}

/** A bus that only collects the published events. */
function listeningBus(): { bus: Bus; published: ChatEvent[] } {
  const published: ChatEvent[] = []
  const bus: Bus = {
    publish: async (event) => void published.push(event),
    subscribe: async () => undefined,
    replay: async () => 0,
    check: async () => undefined,
    close: async () => undefined,
  }
  return { bus, published }
}

async function recordRegistration(): Promise<string> {
  const accountId = randomUUID()
  await recordEvent(database.db, { type: 'account.registered', payload: { accountId } })
  return accountId
}

function outbox() {
  return database.db.query<{ attempts: number; isParked: boolean; minutesToWait: number }>(
    `select attempts, parked_at is not null as "isParked",
            round(extract(epoch from available_at - now()) / 60)::int as "minutesToWait"
       from outbox order by created_at`,
  )
}
