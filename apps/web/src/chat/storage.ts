/**
 * This browser's memory of small things. Reading and writing may be refused (private windows, a full disk):
 * then the page forgets when it is closed, and nothing else changes.
 */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/** Null forgets. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Nothing to be done: see above.
  }
}

/** Every remembered key that begins with `prefix`. */
export function remembered(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}
