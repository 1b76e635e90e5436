import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { Alert } from './alert.js'
import { formatCount } from './format.js'

type FieldProps = {
  label: string
  name: string
  type?: 'text' | 'email' | 'password' | 'file'
  /** The first value. Later renders never change what the user has typed. */
  initial?: string
  hint?: string
  autocomplete?: string
  minLength?: number
  /** The limit of characters. More can be typed, but not sent: `maxlength` would cut pasted text without a message. */
  maxLength?: number
  accept?: string
  focused?: boolean
  /** True if the field may be empty. */
  optional?: boolean
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
  optional = false,
  onInput,
  ...rest
}: FieldProps) {
  const input = useRef<HTMLInputElement>(null)
  const [begun] = useState(initial)
  const [text, setText] = useState(initial)
  // The types of Preact want one literal `type`; these four types take the same attributes.
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
          required={!optional}
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

/** Counts characters as the server does: an emoji is one, and spaces around the text do not count. */
const countOf = (text: string) => [...text.trim()].length

/** True if the text has at most `max` characters. */
export const fits = (text: string, max: number) => countOf(text) <= max

/** Near the limit: how many characters are left, or how many are too many. */
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

/** The values of a form, by field name. */
export type Answers = Record<string, string>

type FormProps = {
  action: string
  /** The action cannot be undone: the button is red. */
  danger?: boolean | undefined
  send: (answers: Answers, form: HTMLFormElement) => Promise<string | void>
  onCancel?: () => void
  children?: ComponentChildren
}

/**
 * A form with one submit button. It shows the error that `send` rejects with, and moves the focus to the field that the
 * error is about, or it shows the sentence that `send` resolves to.
 */
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
      const { message, field } = error as Error & { field?: string }
      setProblem(message)
      const wrong = form.elements.namedItem(field ?? '')
      if (wrong instanceof HTMLInputElement) wrong.focus()
    }
    setBusy(false)
  }
  return (
    <form class="form" onSubmit={submit} aria-busy={busy}>
      {children}
      <Alert>{problem}</Alert>
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
