import { setTimeout as sleep } from 'node:timers/promises'
import { ConsumerFailed, retryDelaysMs, type Bus } from './bus.js'
import type { Db } from '../platform/db.js'
import type { Log } from '../platform/log.js'
import { claimEvents, deleteEvents, delayEvent, parkEvent, returnEvents, type ClaimedEvent } from './outbox.js'

export interface Relay {
  start(): void
  /** Resolves when the current batch is finished. */
  stop(): Promise<void>
}

interface RelayOptions {
  db: Db
  bus: Bus
  log: Log
  /** Pause between two looks at the outbox. */
  pollMs?: number
  /** Duration of a claim. It must be much longer than publishing a batch takes: afterwards another relay repeats the batch. */
  leaseMs?: number
  /** Delays before the next attempts of a consumer that fails. After the last attempt the event is parked. */
  delaysMs?: readonly number[]
}

const batchSize = 20
const longestRestMs = 5_000

/**
 * Publishes the events of the outbox on the bus. It holds no lock while it publishes: a claim is only a time until which
 * other relays skip the event. When a relay dies, another one publishes its events again. Several relays may run at once.
 */
export function createRelay({
  db,
  bus,
  log,
  pollMs = 500,
  leaseMs = 60_000,
  delaysMs = retryDelaysMs,
}: RelayOptions): Relay {
  /** Number of failed rounds in a row. */
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

  /** Publishes one batch. Returns the pause after it in ms. */
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
      const restMs = failedRound(reason, 'the bus accepts no events; they stay in the outbox')
      await returnEvents(db, notTaken, restMs)
      return restMs
    }
    if (notTaken.length > 0) {
      // The bus works, but it does not accept these events. They must not delay the others.
      log.warn({ err: reason, events: notTaken.length }, 'the bus did not accept some events; they stay in the outbox')
      await returnEvents(db, notTaken, longestRestMs)
    }
    if (failures > 0) log.info('the relay works again')
    failures = 0
    return batch.length < batchSize ? pollMs : 0
  }

  /** Returns a pause in ms, which grows with every failure in a row. It is partly random, so that relays retry at different times. */
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
      log.error(about, 'event parked. To try it again, run the replay task')
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
