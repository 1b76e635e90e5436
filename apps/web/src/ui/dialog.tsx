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

/** A modal dialog. Esc closes it, and the focus returns to the element that had it before. */
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
        // Close at once: the browser's `close` comes later, and until then the dialog could not be opened again.
        event.preventDefault()
        onClose()
      }}
      onClose={() => dialog.current && onClose()}
    >
      {children}
    </dialog>
  )
}

/** A modal dialog with a title. */
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

/** A panel `beside` the page or, without room for it, a modal dialog that a tap outside closes as well. */
export function Panel({ label, beside, onClose, children, ...rest }: PanelProps) {
  if (beside)
    return (
      <aside {...rest} aria-label={label}>
        {children}
      </aside>
    )
  // The backdrop belongs to the dialog and is on its left.
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

/** Asks the user to confirm an action. `action` is the label of the button that does it. */
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
