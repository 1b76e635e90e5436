import { Component, h, type FunctionComponent } from 'preact'
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'

/** Renders again after each change of one of the stores. */
export function useChanges(...stores: { subscribe: (listener: () => void) => () => void }[]): void {
  const [, setCount] = useState(0)
  // Subscribe before the page is painted, so that no change is missed.
  useLayoutEffect(() => {
    const ends = stores.map((store) => store.subscribe(() => setCount((count) => count + 1)))
    return () => ends.forEach((end) => end())
  }, stores)
}

/** Renders again only when a property has changed. Meant for the items of long lists. */
export function memo<P extends object>(render: FunctionComponent<P>) {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P) {
      return Object.entries(next).some(([name, value]) => this.props[name as keyof P] !== value)
    }

    override render() {
      return h(render, this.props)
    }
  }
}

/**
 * Calls `press` for keys on the page, but not for those of a dialog. `isWriting` is true in a text field. It is renewed
 * before the next paint, because a key can follow at once.
 */
export function usePageKeys(press: (event: KeyboardEvent, isWriting: boolean) => void): void {
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const isWriting = event.target instanceof HTMLElement && event.target.matches('input, textarea')
      if (!event.isComposing && !document.querySelector('dialog[open]')) press(event, isWriting)
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  })
}

/** True while a media query matches. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const media = matchMedia(query)
    const follow = () => setHolds(media.matches)
    media.addEventListener('change', follow)
    return () => media.removeEventListener('change', follow)
  }, [query])
  return holds
}
