import { setTimeout as sleep } from 'node:timers/promises'
import { ConsumerFailed, retryDelaysMs, type Bus } from './bus.js'
import type { Db } from '../platform/db.js'
import type { Log } from '../platform/log.js'
import { claimEvents, deleteEvents, delayEvent, parkEvent, returnEvents, type ClaimedEvent } from './outbox.js'

export interface Relay {
  start(): void
  /** Resolves once what is in hand is settled. */
  stop(): Promise<void>
}

interface RelayOptions {
  db: Db
  bus: Bus
  log: Log
  /** How often to look. */
  pollMs?: number
  /** How long a claim holds: far longer than publishing a batch takes, since after it another relay repeats the batch. */
  leaseMs?: number
  /** Rests between the attempts of a consumer that fails; after the last one the event is parked. */
  delaysMs?: readonly number[]
}

const batchSize = 20
const longestRestMs = 5_000

/**
 * Takes events from the outbox to the bus. Nothing is locked while it publishes, a claim is only a moment before which
 * nobody else looks: a relay that dies loses nothing, its events are published again. Several may run at once.
 */
export function createRelay({
  db,
  bus,
  log,
  pollMs = 500,
  leaseMs = 60_000,
  delaysMs = retryDelaysMs,
}: RelayOptions): Relay {
  /** Rounds in a row in which nothing got through. */
  let failures = 0
  let running: Promise<void> | undefined
  const stopping = new AbortController()
  const { signal } = stopping

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const restMs = await round().catch((error: unknown) => failedRound(error, 'the relay cannot reach the outbox'))
      await sleep(restMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** One batch. Returns how long to rest after it. */
  async function round(): Promise<number> {
    const batch = await claimEvents(db, batchSize, leaseMs)
    const outcomes = await Promise.allSettled(batch.map(({ event }) => bus.publish(event)))

    const confirmed: string[] = []
    const failed: { claimed: ClaimedEvent; failure: ConsumerFailed }[] = []
    const notTaken: string[] = []
    let reason: unknown
    for (const [index, claimed] of batch.entries()) {
      const outcome = outcomes[index]
      if (outcome?.status === 'fulfilled') confirmed.push(claimed.event.id)
      else if (outcome?.reason instanceof ConsumerFailed) failed.push({ claimed, failure: outcome.reason })
      else {
        notTaken.push(claimed.event.id)
        reason = outcome?.reason
      }
    }

    if (confirmed.length > 0) await deleteEvents(db, confirmed)
    for (const { claimed, failure } of failed) await putOff(claimed, failure)
    if (notTaken.length > 0 && notTaken.length === batch.length) {
      const restMs = failedRound(reason, 'the bus takes no events; they stay in the outbox')
      await returnEvents(db, notTaken, restMs)
      return restMs
    }
    if (notTaken.length > 0) {
      // The bus is there, it is these that it does not take: they must not hold up the others.
      log.warn({ err: reason, events: notTaken.length }, 'the bus did not take some events; they stay in the outbox')
      await returnEvents(db, notTaken, longestRestMs)
    }
    if (failures > 0) log.info('the relay works again')
    failures = 0
    return batch.length < batchSize ? pollMs : 0
  }

  /** Rests longer after every failure in a row. Jitter keeps relays apart that lost the same bus at the same moment. */
  function failedRound(reason: unknown, what: string): number {
    if (failures === 0) log.warn({ err: reason }, what)
    failures += 1
    return Math.min(longestRestMs, 250 * 2 ** failures) * (0.5 + Math.random() / 2)
  }

  async function putOff({ event, attempt }: ClaimedEvent, failure: ConsumerFailed): Promise<void> {
    const delayMs = delaysMs[attempt - 1]
    const about = { err: failure, event: event.id, type: event.type, attempt }
    if (delayMs === undefined) {
      await parkEvent(db, event.id)
      log.error(about, 'event parked: the replay command tries again')
    } else {
      await delayEvent(db, event.id, delayMs)
      log.warn({ ...about, delayMs }, 'event failed and will be tried again')
    }
  }

  return {
    start() {
      running ??= run()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
