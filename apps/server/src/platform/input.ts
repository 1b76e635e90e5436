import { z } from 'zod'
import { ChatError } from './errors.js'

/** Checks what a stranger sent. @throws ChatError `invalid` naming the first field that is wrong, and how. */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const field = issue?.path.join('.')
  throw new ChatError('invalid', field ? `${field}: ${issue?.message}` : (issue?.message ?? 'Invalid input'))
}

// PostgreSQL stores no NUL, UTF-8 no lone surrogate; other control characters only confuse whoever reads them.
const controls = /[^\P{Cc}\n\t]/u

// In a line they hide what stands beside them: other line breaks, changes of direction, characters without width.
const tricks = /[\n\t\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\u2060\ufeff]/u
const visible = /[^\p{Default_Ignorable_Code_Point}\p{Z}\p{C}\p{M}\u2800]/u

const fits = (value: string, max: number) => value.length <= max || [...value].length <= max
const isText = (value: string) => value.isWellFormed() && !controls.test(value)

/** One line as people write it, trimmed, `max` characters (code points) at most, with something to see. */
export function line(max: number) {
  return z
    .string()
    .trim()
    .refine((value) => visible.test(value), 'must not be empty')
    .refine((value) => fits(value, max), `must have at most ${max} characters`)
    .refine((value) => isText(value) && !tricks.test(value), 'has characters that are not text')
}

/** Text of several lines, kept to the letter, `max` characters (code points) at most. */
export function prose(max: number) {
  return z
    .string()
    .refine((value) => value.trim() !== '', 'must not be empty')
    .refine((value) => fits(value, max), `must have at most ${max} characters`)
    .refine((value) => isText(value.replaceAll('\r\n', '\n')), 'has characters that are not text')
}

/** A UUID in lower case, as the database writes it. */
export function uuid() {
  return z.guid('must be a UUID').toLowerCase()
}

/** A page size or position in a query string. */
export function count(min: number, max: number) {
  return z.string().regex(/^\d{1,15}$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max))
}
