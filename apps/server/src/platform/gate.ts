import { ChatError, Unavailable } from './errors.js'

export interface Limits {
  /** Maximum number of waiting tasks, in total and per key. More tasks are refused at once. */
  waiting?: number
  perKey?: number
}

export interface Waiting {
  /** The client of the task. Different keys take turns, however many tasks one of them has. */
  key?: string
  /** Aborts when the client has gone. A task that has not started by then never starts. */
  gone?: AbortSignal
}

export interface Gate {
  /** @throws ChatError `busy` when too many tasks wait, Unavailable when `gone` aborts in time, otherwise as `work` does. */
  <Result>(work: () => Promise<Result>, waiting?: Waiting): Promise<Result>
  /** Is no task running or waiting? */
  isIdle(): boolean
}

/** Runs at most `width` tasks at once; the others wait for their turn. For tasks that would leave no resources for others. */
export function createGate(width: number, { waiting = Infinity, perKey = Infinity }: Limits = {}): Gate {
  let running = 0
  let waitingNow = 0
  // A Map keeps the order of its keys. The first key is next, and moves to the end with its remaining tasks.
  const lines = new Map<string, (() => void)[]>()

  function wait(key: string, gone: AbortSignal | undefined): Promise<void> {
    const line = lines.get(key) ?? []
    if (waitingNow >= waiting || line.length >= perKey)
      throw new ChatError('busy', 'The chat is busy. Please try again in a moment.', { retryAfterSeconds: 1 })
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
        reject(new Unavailable('The client has gone', gone?.reason))
      }
      gone?.addEventListener('abort', leave, { once: true })
      waitingNow += 1
      line.push(begin)
      lines.set(key, line)
    })
  }

  /** A finished task passes its place to the next one waiting, so that a new task cannot overtake it. */
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
    if (gone?.aborted) throw new Unavailable('The client has gone', gone.reason)
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

/** A gate of width one per key: tasks with the same key run one after another, in the order of their calls. */
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
