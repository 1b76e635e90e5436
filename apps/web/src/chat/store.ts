/** Something that views show and that changes by itself. */
export interface Store {
  /** Calls `listener` after each change. Returns how to end that. */
  subscribe: (listener: () => void) => () => void
}

/** The listeners of a store, and how it tells them. */
export function createListeners(): Store & { changed: () => void } {
  const listeners = new Set<() => void>()
  return {
    changed: () => listeners.forEach((listener) => listener()),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
