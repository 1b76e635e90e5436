import { ChatError, Unavailable } from './errors.js'

export interface Limits {
  /** How much may wait, in all and of one key; more is refused at once. */
  waiting?: number
  perKey?: number
}

export interface Waiting {
  /** On whose behalf: those of different keys take turns, however many one of them sends. */
  key?: string
  /** Aborted when nobody waits for the outcome any more: what has not begun by then never does. */
  gone?: AbortSignal
}

export interface Gate {
  /** @throws ChatError `unavailable` when too much is waiting, Unavailable when `gone` comes before its turn; else as `work` does. */
  <Result>(work: () => Promise<Result>, waiting?: Waiting): Promise<Result>
  /** Nothing runs, nothing waits. */
  isIdle(): boolean
}

/** Lets at most `width` pieces of work run at once; the others wait their turn. For work that would starve the rest. */
export function createGate(width: number, { waiting = Infinity, perKey = Infinity }: Limits = {}): Gate {
  let running = 0
  let waitingNow = 0
  // A Map keeps the order of its keys: the first one is next, and goes to the end with what it has left.
  const lines = new Map<string, (() => void)[]>()

  function wait(key: string, gone: AbortSignal | undefined): Promise<void> {
    const line = lines.get(key) ?? []
    if (waitingNow >= waiting || line.length >= perKey)
      throw new ChatError('unavailable', 'The chat is busy. Please try again in a moment.', 1)
    return new Promise((resolve, reject) => {
      const begin = () => {
        waitingNow -= 1
        gone?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        waitingNow -= 1
        line.splice(line.indexOf(begin), 1)
        if (line.length === 0) lines.delete(key)
        reject(new Unavailable('Nobody waits for it any more', gone?.reason))
      }
      gone?.addEventListener('abort', leave, { once: true })
      waitingNow += 1
      line.push(begin)
      lines.set(key, line)
    })
  }

  /** A finished task passes its place on, so that a newcomer cannot slip in between. */
  function passOn(): void {
    const [first] = lines
    if (first === undefined) {
      running -= 1
      return
    }
    const [key, line] = first
    lines.delete(key)
    const begin = line.shift()
    if (line.length > 0) lines.set(key, line)
    begin?.()
  }

  const gate = async <Result>(work: () => Promise<Result>, { key = '', gone }: Waiting = {}): Promise<Result> => {
    if (gone?.aborted) throw new Unavailable('Nobody waits for it any more', gone.reason)
    if (running < width) running += 1
    else await wait(key, gone)
    try {
      return await work()
    } finally {
      passOn()
    }
  }
  return Object.assign(gate, { isIdle: () => running === 0 })
}

/** A gate of width one per key: pieces of work with the same key run one after another, in the order they came. */
export function createTurns(
  limits?: Limits,
): <Result>(key: string, work: () => Promise<Result>, gone?: AbortSignal) => Promise<Result> {
  const gates = new Map<string, Gate>()
  return async (key, work, gone) => {
    const gate = gates.get(key) ?? createGate(1, limits)
    gates.set(key, gate)
    try {
      return await gate(work, gone === undefined ? {} : { gone })
    } finally {
      if (gate.isIdle()) gates.delete(key)
    }
  }
}
