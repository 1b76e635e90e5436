/** What depends on the language, apart from the sentences: times, days, numbers, plurals, the order of names. */
const language = 'en-GB'

const times = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' })
const days = new Intl.DateTimeFormat(language, { dateStyle: 'full' })
const numbers = new Intl.NumberFormat(language)
const plurals = new Intl.PluralRules(language)
const lists = new Intl.ListFormat(language, { type: 'conjunction' })
const names = new Intl.Collator(language, { numeric: true, sensitivity: 'base' })

export const formatTime = (date: Date): string => times.format(date)

/** The day of `date`: "Today", "Yesterday" or the full date. */
export function formatDay(date: Date, now: Date): string {
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  if (date.toDateString() === now.toDateString()) return 'Today'
  if (date.toDateString() === yesterday.toDateString()) return 'Yesterday'
  return days.format(date)
}

/** A number and its noun: `formatCount(2, { one: 'message', other: 'messages' })` is "2 messages". */
export function formatCount(count: number, noun: { one: string; other: string }): string {
  return `${numbers.format(count)} ${plurals.select(count) === 'one' ? noun.one : noun.other}`
}

/** Names as a sentence lists them: "Ann, Ben and Cid". Of many, the first ten and the number of the others. */
export function listNames(all: string[]): string {
  const others = all.length - 10
  return lists.format(others < 1 ? all : [...all.slice(0, 10), `${numbers.format(others)} more`])
}

/** Compares two names for `sort`: case and accents do not matter, and "room 9" comes before "room 10". */
export const compareNames = (a: string, b: string): number => names.compare(a, b)
