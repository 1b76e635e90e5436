import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.js'

export interface Repeated {
  name: string
  ms: number
  work: () => Promise<unknown>
}

/** Runs `work` again and again with `ms` in between, never twice at once. A failure is logged and does not end it. */
export function repeat({ name, ms, work, log }: Repeated & { log: Log }): { stop(): Promise<void> } {
  const stopped = new AbortController()
  let failing = false

  async function run() {
    while (!stopped.signal.aborted) {
      try {
        await work()
        failing = false
      } catch (error) {
        // Once per outage: a database that is away for an hour is one piece of news.
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
