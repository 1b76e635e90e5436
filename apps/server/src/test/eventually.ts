import { vi } from 'vitest'

/** Waits until `look` no longer throws, and returns its result. The timeout is long because of busy machines. */
export function eventually<Result>(look: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(look, { timeout: 15_000, interval: 20 })
}
