import { Unavailable } from './errors.js'

/**
 * The outcome of `work`, or `Unavailable` after `ms` when there is none by then. The work itself goes on: for calls
 * that cannot be called off.
 */
export async function within<Result>(ms: number, what: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Unavailable(`${what} took longer than ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the work has ended, well or badly, or after `ms` when it goes on for longer. */
export async function endOf(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
  try {
    await Promise.race([work.catch(() => undefined), late])
  } finally {
    clearTimeout(timer)
  }
}
