import { z } from 'zod'
import type { reasons } from '../contract.js'
import { ChatError } from './errors.js'

type Refusal = (typeof reasons.invalid)[number]

/**
 * Validates untrusted input. Fields that people fill in have their own sentences; only programs get other fields wrong.
 * @throws ChatError of the code `invalid` about the first mistake, with its reason, its field and a sentence.
 */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input, {
    error: ({ path }) =>
      path?.length ? `The field ${path.join('.')} is missing or malformed.` : 'The request could not be read.',
  })
  if (result.success) return result.data
  const [issue] = result.error.issues
  const refusal = issue?.code === 'custom' ? (issue.params?.reason as Refusal | undefined) : undefined
  throw new ChatError(refusal ?? 'malformed', issue?.message ?? 'The request could not be read.', {
    field: issue?.path.join('.') || undefined,
  })
}

/** What a check of a schema says when it fails. Other failures have the reason `malformed`. */
export function because(reason: Refusal, error: string) {
  return { error, params: { reason } }
}

/** The schema of an object of type `T`. The compiler demands every field of `T`, so that none can be forgotten. */
export function schemaOf<T extends object>() {
  return <Shape extends { [Field in keyof Required<T>]: z.ZodType<T[Field]> }>(shape: Shape) => z.object(shape)
}

// PostgreSQL cannot store NUL, and UTF-8 cannot encode a lone surrogate. Other control characters only confuse readers.
const controls = /[^\P{Cc}\n\t]/u

// These characters hide or reorder the text of a line: line breaks, changes of direction, characters without width.
const tricks = /[\n\t\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\u2060\ufeff]/u
const visible = /[^\p{Default_Ignorable_Code_Point}\p{Z}\p{C}\p{M}\u2800]/u

const fits = (value: string, max: number) => value.length <= max || [...value].length <= max
const isText = (value: string) => value.isWellFormed() && !controls.test(value)

/** One line of text: trimmed, `max` characters (code points) at most, not all invisible. `what` is in the messages, like `a name`. */
export function line(what: string, max: number) {
  return z
    .string(`Please enter ${what}.`)
    .trim()
    .refine((value) => visible.test(value), because('empty', `Please enter ${what}.`))
    .refine((value) => fits(value, max), because('too_long', `Please enter ${what} of at most ${max} characters.`))
    .refine(
      (value) => isText(value) && !tricks.test(value),
      because('hidden_characters', `Please enter ${what} without hidden or special characters.`),
    )
}

/** Text of several lines: unchanged, `max` characters (code points) at most. */
export function prose(what: string, max: number) {
  return z
    .string(`Please enter ${what}.`)
    .refine((value) => value.trim() !== '', because('empty', `Please enter ${what}.`))
    .refine((value) => fits(value, max), because('too_long', `Please enter ${what} of at most ${max} characters.`))
    .refine(
      (value) => isText(value.replaceAll('\r\n', '\n')),
      because('hidden_characters', `Please enter ${what} without hidden or special characters.`),
    )
}

/** A UUID in lower case, as the database writes it. */
export function uuid() {
  return z.guid().toLowerCase()
}

/** A page size or position in a query string. */
export function count(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
}
