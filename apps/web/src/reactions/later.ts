import { later } from '../ui/later.js'

/** The choice of emoji, which is loaded when it is opened for the first time. */
export const EmojiPicker = later(
  'EmojiPicker',
  () => import(/* webpackChunkName: "emoji-picker" */ './emoji-picker.js'),
)

/** Replaces the `:name:` before the cursor with its emoji. The names are loaded when the first one is written. */
export async function replaceShortcode(field: HTMLTextAreaElement): Promise<void> {
  const before = field.value.slice(0, field.selectionStart)
  const [written, name = ''] = /:([a-z0-9_+-]+):$/.exec(before) ?? []
  if (written === undefined) return
  const { emojiNamed } = await import(/* webpackChunkName: "emoji-picker" */ './emoji.js')
  const emoji = emojiNamed(name)
  // The user may have typed on.
  if (emoji === undefined || !field.value.startsWith(before)) return
  insert(field, emoji, before.length - written.length, before.length)
}

/** Puts text in the place of a part of a field, and tells the field's component. */
export function insert(
  field: HTMLTextAreaElement,
  text: string,
  from = field.selectionStart,
  to = field.selectionEnd,
): void {
  // The cursor may be further on by now.
  field.setRangeText(text, from, to, field.selectionStart > to ? 'preserve' : 'end')
  field.dispatchEvent(new InputEvent('input', { bubbles: true }))
}
