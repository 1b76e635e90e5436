import type { Log } from './log.js'

/** Says an error in the log, unless too many of its kind have been said. */
export type SayFault = (fields: { err: unknown; [field: string]: unknown }, message: string) => void

/** Counts by kind, a minute at a time; `onRest` hears how many there were beyond `most`. */
export function createCount({
  most,
  onRest,
  windowMs = 60_000,
}: {
  most: number
  onRest: (kind: string, rest: number) => void
  windowMs?: number
}) {
  const counts = new Map<string, number>()

  function endWindow() {
    for (const [kind, count] of counts) if (count > most) onRest(kind, count - most)
    counts.clear()
  }

  /** The how manieth of its kind this one is. */
  return (kind: string): number => {
    if (counts.size === 0) setTimeout(endWindow, windowMs).unref()
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return count
  }
}

/**
 * Keeps whoever causes errors from filling the log: of a kind, which is the message and the error's code or name, a minute
 * sees one line with the stack, nine without, and one that counts the rest.
 */
export function createFaults(log: Log, { windowMs }: { windowMs?: number } = {}): SayFault {
  const most = 10
  const count = createCount({
    most,
    windowMs,
    onRest: (kind, rest) => log.error({ kind, rest }, 'more errors of this kind'),
  })
  return ({ err, ...fields }, message) => {
    const { name, code, message: reason } = Object(err) as { name?: string; code?: string; message?: string }
    const seen = count(`${message}: ${code ?? name}`)
    if (seen === 1) log.error({ err, ...fields }, message)
    else if (seen <= most) log.error({ reason, ...fields }, message)
  }
}
