import type { Log } from './log.js'

/** Logs an error, unless too many errors of the same kind were logged. */
export type SayFault = (fields: { err: unknown; [field: string]: unknown }, message: string) => void

/** Counts by kind within a minute. At the end of the minute, `onRest` gets the number of those beyond `most`. */
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

  /** Returns the new count of this kind. */
  return (kind: string): number => {
    if (counts.size === 0) setTimeout(endWindow, windowMs).unref()
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return count
  }
}

/**
 * Keeps repeated errors from filling the log. Errors of the same kind have the same log message and the same code or name.
 * Per minute and kind, the log has one line with the stack, nine lines without, and one line with the number of the others.
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
