import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

type PopoverProps = {
  label: string
  class: string
  /** The button that opened it. It appears beside this button. */
  opener: HTMLElement
  onClose: () => void
  onKeyDown?: (event: KeyboardEvent) => void
  children: ComponentChildren
}

const gap = 6

/**
 * A small surface over the page, beside the button that opened it. The focus moves to its first button, and back when it
 * closes. Esc and a click outside close it, and so does a click on an element with the attribute `data-closes`.
 */
export function Popover({ label, opener, onClose, children, ...rest }: PopoverProps) {
  const popover = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = popover.current!
    element.showPopover()
    const { top, bottom, left, right } = opener.getBoundingClientRect()
    const { width, height } = element.getBoundingClientRect()
    const above = top - height - gap
    const below = Math.max(gap, Math.min(bottom + gap, innerHeight - height - gap))
    const wanted = right > innerWidth / 2 ? right - width : left
    element.style.left = `${Math.max(gap, Math.min(wanted, innerWidth - width - gap))}px`
    element.style.top = `${above >= gap ? above : below}px`
    element.querySelector('button')?.focus()
  }, [])
  return (
    <div
      {...rest}
      ref={popover}
      popover="auto"
      role="dialog"
      aria-label={label}
      onClick={({ target }) =>
        target instanceof Element && target.closest('[data-closes]') && popover.current!.hidePopover()
      }
      onToggle={(event) => event.newState === 'closed' && onClose()}
    >
      {children}
    </div>
  )
}
