import type { ComponentChildren, TargetedMouseEvent } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** Goes to a page of this site without loading it anew. `replace` leaves no way back. */
export function navigate(path: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', path)
  else if (path !== location.pathname) history.pushState(null, '', path)
  dispatchEvent(new PopStateEvent('popstate'))
}

/** The path of the page, followed. */
export function usePath(): string {
  const [path, setPath] = useState(location.pathname)
  useEffect(() => {
    const follow = () => setPath(location.pathname)
    addEventListener('popstate', follow)
    follow()
    return () => removeEventListener('popstate', follow)
  }, [])
  return path
}

type LinkProps = {
  to: string
  class?: string
  label?: string
  current?: boolean
  tabIndex?: number
  children: ComponentChildren
}

/** A link within the site. Clicks that ask for a new tab are left to the browser. */
export function Link({ to, class: className, label, current, tabIndex, children }: LinkProps) {
  const follow = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to)
  }
  return (
    <a
      href={to}
      class={className}
      aria-label={label}
      aria-current={current ? 'page' : undefined}
      tabIndex={tabIndex}
      onClick={follow}
    >
      {children}
    </a>
  )
}

/** The title of the window while a page is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Chat` : 'Chat'
  }, [title])
}
