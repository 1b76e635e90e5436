import type { ErrorBody, ErrorCode } from '../contract.js'

/** An answer somebody asked for and did not hope for: a code for programs, a sentence for people. Never a fault. */
export class ChatError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message)
    this.name = 'ChatError'
  }
}

const statuses: Record<ErrorCode, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported_media: 415,
  rate_limited: 429,
  fault: 500,
  unavailable: 503,
}

/** The HTTP status for an error code. */
export function statusOf(code: ErrorCode): number {
  return statuses[code]
}

// What the drivers say when a backing service cannot be reached: connection refused, reset, timed out, shutting down.
// https://www.postgresql.org/docs/current/errcodes-appendix.html for the five-character ones.
const outages = /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOTFOUND|08...|57P0[1-3]|53300|25006)$/
const outageMessages = /timeout exceeded when trying to connect|Query read timeout|Connection terminated|client is (closed|offline)|Socket closed|Socket timeout|Connection timeout|Disconnects client/i

/** Is this the failure of a backing service, so that trying again later may help? */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && outages.test(code)) return true
  if (outageMessages.test(error.message)) return true
  return error.cause !== undefined && isOutage(error.cause)
}

/** What a stranger may learn of an error: its own words when it was meant for them, else one sentence. */
export function bodyOf(error: unknown): ErrorBody {
  if (error instanceof ChatError) return { code: error.code, message: error.message }
  if (isOutage(error)) return { code: 'unavailable', message: 'The chat cannot do this right now. Please try again.' }
  return { code: 'fault', message: 'Something went wrong.' }
}
