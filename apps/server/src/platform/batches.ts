import { setTimeout as sleep } from 'node:timers/promises'

interface BatchesOptions {
  restMs: number
  work: (items: string[]) => Promise<void>
  onError: (error: unknown) => void
}

/** Works on what comes at once, and on what comes in the meantime together: whatever a crowd does, there is a batch every `restMs`. */
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
    /** What waits is dropped. Resolves when nothing is in hand. */
    stop: async (): Promise<void> => {
      stopped.abort()
      await working
    },
  }
}
