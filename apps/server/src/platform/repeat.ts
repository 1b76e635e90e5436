import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.js'

export interface Repeated {
  name: string
  ms: number
  work: () => Promise<unknown>
}

/** Runs `work` repeatedly with a pause of `ms`, never twice at once. A failure is logged, and the work is repeated. */
export function repeat({ name, ms, work, log }: Repeated & { log: Log }): { stop(): Promise<void> } {
  const stopped = new AbortController()
  let failing = false

  async function run() {
    while (!stopped.signal.aborted) {
      try {
        await work()
        failing = false
      } catch (error) {
        // Log the first failure of an outage only.
        if (!failing) log.warn({ err: error, work: name }, 'repeated work failed')
        failing = true
      }
      await sleep(ms, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }
  const running = run()

  return {
    async stop() {
      stopped.abort()
      await running
    },
  }
}
