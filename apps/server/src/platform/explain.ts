import { isOutage } from './errors.js'

/** Says all there is to say to the person at the terminal: shown without a stack. */
export class Explained extends Error {
  override name = 'Explained'
}

/** What to tell the person in front of the terminal: a sentence for what they can mend, the stack for the rest. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as { code?: string; port?: number }
  if (error instanceof Explained) return error.message
  if (code === 'EADDRINUSE') return `Port ${port} is in use by another program. Set PORT or METRICS_PORT to a free one.`
  if (code === 'EACCES' && port !== undefined) return `Port ${port} needs more rights. Set PORT to one above 1023.`
  if (isOutage(error)) return `${reasonOf(error)}. The doctor task says more: node dist/cli.js doctor`
  return error.stack ?? error.message
}

/** The reason in one line. fetch and pg hide it one level down, sometimes several of them. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error.cause instanceof Error ? `${error.message}: ${reasonOf(error.cause)}` : error.message
}
