import { Unavailable } from './errors.js'

/**
 * Returns the result of `work`. The work itself is not cancelled after the timeout.
 * @param what the subject of the error message.
 * @throws Unavailable when `work` takes longer than `ms`.
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
