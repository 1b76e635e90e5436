import { isOutage } from './errors.js'

/** An error whose message tells the operator everything. It is shown without a stack. */
export class Explained extends Error {
  override name = 'Explained'
}

/** Describes an error to the operator: with a sentence when the operator can repair it, otherwise with the stack. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as { code?: string; port?: number }
  if (error instanceof Explained) return error.message
  if (code === 'EADDRINUSE') return `Port ${port} is in use by another program. Set PORT or METRICS_PORT to a free one.`
  if (code === 'EACCES' && port !== undefined) return `Port ${port} needs more rights. Set PORT to a number above 1023.`
  if (isOutage(error)) return `${reasonOf(error)}. For details, run: node dist/cli.js doctor`
  return error.stack ?? error.message
}

/** The reason of an error in one line. Errors of fetch and pg have it in `cause`, or in a list of errors. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error.cause instanceof Error ? `${error.message}: ${reasonOf(error.cause)}` : error.message
}
