import { Component, h, type ComponentChildren, type FunctionComponent } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** Renders anew after each change of a store. */
export function useChanges(store: { subscribe: (listener: () => void) => () => void }): void {
  const [, setCount] = useState(0)
  useEffect(() => store.subscribe(() => setCount((count) => count + 1)), [store])
}

/** Renders again only when a property has changed: for what stands in long lists. */
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

const shapes = {
  plus: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  people: 'M9 11a3 3 0 100-6 3 3 0 000 6zM3 20a6 6 0 0112 0M16 5a3 3 0 010 6M18 14a6 6 0 013 6',
  send: 'M4 12L20 4l-5 16-4-6zM11 14l9-10',
  reply: 'M9 6l-5 5 5 5M4 11h9a7 7 0 017 7',
  pencil: 'M4 20l1-4L16 5l3 3L8 19z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  down: 'M12 5v14M6 13l6 6 6-6',
  lock: 'M7 11V8a5 5 0 0110 0v3M6 11h12v9H6z',
  search: 'M10 17a7 7 0 100-14 7 7 0 000 14zM15 15l6 6',
  hash: 'M10 4L8 20M16 4l-2 16M5 9h15M4 15h15',
}

export function Icon({ name }: { name: keyof typeof shapes }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  )
}

export function IconButton(props: {
  icon: keyof typeof shapes
  label: string
  onClick: () => void
  tabIndex?: number
  pressed?: boolean
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={props.label}
      aria-expanded={props.pressed}
      title={props.label}
      tabIndex={props.tabIndex}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  )
}

/** A name of a person or a room, on one line: in its own direction, which does not turn what stands around it. */
export const Name = ({ children }: { children: string }) => (
  <bdi class="name" title={children}>
    {children}
  </bdi>
)

const tints = 6

/** A picture of somebody, or the initials on a colour of their own. For the eyes only: the name stands beside it. */
export function Avatar({
  person,
  large,
}: {
  person: { id: string; name: string; avatarUrl: string | null }
  large?: boolean
}) {
  const [broken, setBroken] = useState<string | null>(null)
  const size = large ? ' avatar--large' : ''
  if (person.avatarUrl && person.avatarUrl !== broken) {
    return (
      <img
        class={`avatar${size}`}
        src={person.avatarUrl}
        alt=""
        width="40"
        height="40"
        onError={() => setBroken(person.avatarUrl)}
      />
    )
  }
  const words = person.name.trim().split(/\s+/)
  const initials = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...(word ?? '')][0] ?? '').join('')
  const tint = [...person.id].reduce((sum, char) => (sum * 31 + char.codePointAt(0)!) >>> 0, 7) % tints
  return (
    <span class={`avatar${size} tint-${tint}`} aria-hidden="true">
      {initials.toUpperCase()}
    </span>
  )
}

type FieldProps = {
  label: string
  name: string
  type?: 'text' | 'email' | 'password' | 'file'
  /** What it holds at first. From then on it is theirs who type: drawing the page anew never changes it. */
  initial?: string
  hint?: string
  autocomplete?: string
  minLength?: number
  /** How many characters fit. More can be typed, and are counted, but not sent: the browser would cut them off without a word. */
  maxLength?: number
  accept?: string
  focused?: boolean
  onInput?: (event: Event & { currentTarget: HTMLInputElement }) => void
}

export function Field({
  label,
  name,
  type = 'text',
  initial = '',
  hint,
  maxLength = Infinity,
  focused,
  onInput,
  ...rest
}: FieldProps) {
  const input = useRef<HTMLInputElement>(null)
  const [begun] = useState(initial)
  const [text, setText] = useState(initial)
  // The typings want to know at each place which kind of input it is; these four take the same attributes.
  const kind = type as 'text'
  useEffect(() => {
    if (focused) input.current!.focus()
  }, [focused])
  return (
    <div class="field">
      <label>
        {label}
        <input
          {...rest}
          ref={input}
          name={name}
          type={kind}
          dir="auto"
          defaultValue={begun}
          required
          aria-describedby={hint && `${name}-hint`}
          onInput={(event) => {
            const { currentTarget: field } = event
            field.setCustomValidity(fits(field.value, maxLength) ? '' : `${maxLength} characters fit.`)
            setText(field.value)
            onInput?.(event)
          }}
        />
      </label>
      {maxLength < Infinity && <Limit text={text} max={maxLength} />}
      {hint && (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

/** Characters are counted as the server does: a smiley is one, and blanks around the text are none. */
const countOf = (text: string) => [...text.trim()].length

/** Has the text `max` characters at most? */
export const fits = (text: string, max: number) => countOf(text) <= max

/** Near the end of what fits: how much more does, or how much does not. */
export function Limit({ text, max }: { text: string; max: number }) {
  const left = max - countOf(text)
  if (left > max / 10) return null
  const characters = `${Math.abs(left)} character${Math.abs(left) === 1 ? '' : 's'}`
  return left < 0 ? (
    <p class="limit alert" role="alert">
      {characters} too many
    </p>
  ) : (
    <p class="limit">{characters} left</p>
  )
}

/** What a form said when it was sent, by field name. */
export type Answers = Record<string, string>

type FormProps = {
  action: string
  /** It cannot be undone. */
  danger?: boolean | undefined
  send: (answers: Answers, form: HTMLFormElement) => Promise<string | void>
  onCancel?: () => void
  children?: ComponentChildren
}

/** A form with one button. What goes wrong is said beside it; a sentence that `send` resolves to is said there too. */
export function Form({ action, danger, send, onCancel, children }: FormProps) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const [success, setSuccess] = useState('')
  const submit = async (event: Event & { currentTarget: HTMLFormElement }) => {
    event.preventDefault()
    if (busy) return
    const form = event.currentTarget
    const answers: Answers = {}
    new FormData(form).forEach((value, name) => {
      if (typeof value === 'string') answers[name] = value
    })
    setBusy(true)
    setProblem('')
    setSuccess('')
    try {
      setSuccess((await send(answers, form)) ?? '')
    } catch (error) {
      setProblem((error as Error).message)
    }
    setBusy(false)
  }
  return (
    <form class="form" onSubmit={submit} aria-busy={busy}>
      {children}
      {problem && (
        <p class="alert" role="alert">
          {problem}
        </p>
      )}
      <p class="success" role="status">
        {success}
      </p>
      <div class="form-buttons">
        {onCancel && (
          <button type="button" class="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        <button type="submit" class={`button button--${danger ? 'danger' : 'primary'}`} aria-disabled={busy}>
          {action}
        </button>
      </div>
    </form>
  )
}

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
    <dialog {...rest} ref={dialog} aria-label={label} onClose={() => dialog.current && onClose()}>
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
    <Overlay label={title} class="dialog" onClose={onClose}>
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

/** Whether a media query holds, followed. */
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

/** In place of something that is on its way, or could not be had. */
export function Wait({ problem, retry }: { problem?: string | null; retry?: () => void }) {
  if (!problem)
    return (
      <p class="notice" role="status">
        <span class="spinner" role="img" aria-label="Loading" />
      </p>
    )
  return (
    <div class="notice" role="alert">
      <p>{problem}</p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  )
}
