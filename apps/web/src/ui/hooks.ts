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
