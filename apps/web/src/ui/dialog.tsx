import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

import { Form } from './form.js'

type OverlayProps = {
  label: string
  class: string
  onClose: () => void
  onClick?: (event: MouseEvent) => void
  children: ComponentChildren
}

/** In front of everything else, which cannot be reached meanwhile. Esc closes it, and the focus returns to where it was. */
function Overlay({ label, onClose, children, ...rest }: OverlayProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const element = dialog.current!
    element.showModal()
    return () => element.close()
  }, [])
  return (
    <dialog
      {...rest}
      ref={dialog}
      aria-label={label}
      onCancel={(event) => {
        // At once: the browser tells of a close only later, and whoever opens it again by then would be ignored.
        event.preventDefault()
        onClose()
      }}
      onClose={() => dialog.current && onClose()}
    >
      {children}
    </dialog>
  )
}

/** A question. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) {
  return (
    <Overlay label={title} class="sheet dialog" onClose={onClose}>
      <h2>{title}</h2>
      {children}
    </Overlay>
  )
}

type PanelProps = { label: string; class: string; beside: boolean; onClose: () => void; children: ComponentChildren }

/** Something beside the page where there is room for it, else in front of it; then a tap outside closes it, too. */
export function Panel({ label, beside, onClose, children, ...rest }: PanelProps) {
  if (beside)
    return (
      <aside {...rest} aria-label={label}>
        {children}
      </aside>
    )
  // The backdrop belongs to the dialog and lies to the left of it.
  return (
    <Overlay
      {...rest}
      label={label}
      onClose={onClose}
      onClick={({ target, currentTarget, offsetX }) => target === currentTarget && offsetX < 0 && onClose()}
    >
      {children}
    </Overlay>
  )
}

/** Asks whether that is really meant. `action` is the button that says yes. */
export function Confirm(props: {
  question: string
  action: string
  danger?: boolean
  send: () => Promise<void>
  onClose: () => void
  children: string
}) {
  return (
    <Dialog title={props.question} onClose={props.onClose}>
      <Form action={props.action} danger={props.danger} send={props.send} onCancel={props.onClose}>
        <p>{props.children}</p>
      </Form>
    </Dialog>
  )
}
