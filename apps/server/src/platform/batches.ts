import { setTimeout as sleep } from 'node:timers/promises'

interface BatchesOptions {
  restMs: number
  work: (items: string[]) => Promise<void>
  onError: (error: unknown) => void
}

/**
 * Collects items into batches. The first item is worked on at once, and the items that are added meanwhile are the next
 * batch. There is at most one batch per `restMs`.
 */
export function createBatches({ restMs, work, onError }: BatchesOptions) {
  const waiting = new Set<string>()
  const stopped = new AbortController()
  let working: Promise<void> | undefined

  async function workOff() {
    while (waiting.size > 0 && !stopped.signal.aborted) {
      const items = [...waiting]
      waiting.clear()
      await work(items).catch(onError)
      await sleep(restMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined)
    }
  }

  return {
    add: (item: string): void => {
      if (stopped.signal.aborted) return
      waiting.add(item)
      working ??= workOff().finally(() => (working = undefined))
    },
    /** Drops the items that wait. Resolves when the current batch is finished. */
    stop: async (): Promise<void> => {
      stopped.abort()
      await working
    },
  }
}
