import type { ComponentChildren, TargetedMouseEvent } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** Opens a path of this site without loading the page again. `replace` adds no entry to the history. */
export function navigate(path: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', path)
  else if (path !== location.pathname) history.pushState(null, '', path)
  dispatchEvent(new PopStateEvent('popstate'))
}

/** The current path. Renders again when it changes. */
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

/** A link within the site. The browser handles clicks that open a new tab. */
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

const iconDelayMs = 500

/** Marks the icon of the browser tab while something is unread, but not for a message that is read at once. */
export function useIcon(isUnread: boolean): void {
  useEffect(() => {
    const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')
    if (!icon || !isUnread) return
    const plain = icon.href
    const timer = setTimeout(() => (icon.href = new URL('./icon-unread.svg', import.meta.url).href), iconDelayMs)
    return () => {
      clearTimeout(timer)
      // Each assignment loads the icon.
      if (icon.href !== plain) icon.href = plain
    }
  }, [isUnread])
}

/** Sets the title of the window. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Chat` : 'Chat'
  }, [title])
}
