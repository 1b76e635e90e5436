import { reasons, type ErrorBody, type ErrorCode, type Reason } from '../contract.js'

const codes = Object.fromEntries(
  Object.entries(reasons).flatMap(([code, list]) => list.map((reason) => [reason, code])),
) as Record<Reason, ErrorCode>

interface ErrorOptions {
  retryAfterSeconds?: number
  /** The field of the request that the reason is about. */
  field?: string | undefined
}

/** An expected error for the client: a reason for programs, which decides the code, and a sentence for people. Never a fault. */
export class ChatError extends Error {
  readonly code: ErrorCode
  readonly retryAfterSeconds: number | undefined
  readonly field: string | undefined

  constructor(
    readonly reason: Exclude<Reason, 'fault'>,
    message: string,
    { retryAfterSeconds, field }: ErrorOptions = {},
  ) {
    super(message)
    this.name = 'ChatError'
    this.code = codes[reason]
    this.retryAfterSeconds = retryAfterSeconds
    this.field = field
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

/** A backing service cannot be reached, or cannot do this at the moment. Another attempt later may succeed. */
export class Unavailable extends Error {
  constructor(what: string, cause?: unknown) {
    super(what, { cause })
    this.name = 'Unavailable'
  }
}

/** Is this the failure of a backing service? The adapter of the service throws `Unavailable` then. */
export function isOutage(error: unknown): boolean {
  return error instanceof Unavailable || (error instanceof Error && isOutage(error.cause))
}

/** The error as the client may see it: the message of a ChatError, or a general sentence for any other error. */
export function bodyOf(error: unknown): ErrorBody {
  if (error instanceof ChatError) {
    const { code, reason, message, field } = error
    return { code, reason, message, ...(field !== undefined && { field }) }
  }
  if (isOutage(error))
    return {
      code: 'unavailable',
      reason: 'service_down',
      message: 'The chat cannot do this right now. Please try again.',
    }
  return { code: 'fault', reason: 'fault', message: 'Something went wrong.' }
}
