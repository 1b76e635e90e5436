import { setTimeout as sleep } from 'node:timers/promises'
import { Explained, reasonOf } from '../platform/explain.js'
import type { Log } from '../platform/log.js'
import { asOwner, type Task } from './task.js'

const patienceMs = 240_000

/** For init containers: ends when the role in MIGRATIONS_DATABASE_URL, else in DATABASE_URL, can connect to PostgreSQL. */
export const wait: Task = ({ config, log }) =>
  asOwner(config, async (db) => {
    await untilItAnswers('PostgreSQL', () => db.query('select 1'), log)
    return 0
  })

/**
 * Calls `ask` until the service answers, and logs each new reason why it does not.
 * @throws Explained with the last reason after four minutes.
 */
export async function untilItAnswers(service: string, ask: () => Promise<unknown>, log: Log): Promise<void> {
  const deadline = Date.now() + patienceMs
  for (let said = ''; ;) {
    try {
      await ask()
      return log.info(`${service} answers`)
    } catch (error) {
      const reason = reasonOf(error)
      if (Date.now() > deadline)
        throw new Explained(`${service} has not answered for ${patienceMs / 60_000} minutes: ${reason}`)
      if (reason !== said) log.info({ reason }, `waiting for ${service}`)
      said = reason
    }
    await sleep(1_000)
  }
}
