import { vi } from 'vitest'

/** Waits until `look` no longer throws, and returns what it returns. The patience is for a busy machine, not for slow code. */
export function eventually<Result>(look: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(look, { timeout: 15_000, interval: 20 })
}
