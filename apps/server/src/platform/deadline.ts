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
