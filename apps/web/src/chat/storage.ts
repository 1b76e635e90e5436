/**
 * Small values in the storage of this browser. Reading and writing can fail, for example in a private window or with a
 * full disk: then nothing is remembered after a reload, and everything else works.
 */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/** Stores a value; null removes it. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // See above.
  }
}

/** All stored keys that begin with `prefix`. */
export function remembered(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix))
  } catch {
    return []
  }
}
