import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { formatCount } from './format.js'

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
  useLayoutEffect(() => {
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
  const characters = formatCount(Math.abs(left), { one: 'character', other: 'characters' })
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
