/** State that views show and that changes outside of them. */
export interface Store {
  /** Calls `listener` after each change. Returns a function that unsubscribes. */
  subscribe: (listener: () => void) => () => void
}

/** The listeners of a store; `changed` calls all of them. */
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
