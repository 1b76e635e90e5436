import type { ComponentChildren } from 'preact'

const link = /\bhttps?:\/\/[^\s<>"]+/g
// What ends a sentence or closes a bracket belongs to the text around an address.
const tail = /[.,:;!?'"\])}]+$/

/** The text of a message: addresses of web pages become links, everything else stays text. `mark` is said about it. */
export function Body({ text, mark }: { text: string; mark?: string | false | null }) {
  const parts: ComponentChildren[] = []
  let end = 0
  for (const match of text.matchAll(link)) {
    const address = match[0].replace(tail, '')
    if (!URL.canParse(address)) continue
    parts.push(
      text.slice(end, match.index),
      <a dir="ltr" href={address} target="_blank" rel="noopener noreferrer nofollow">
        {address}
      </a>,
    )
    end = match.index + address.length
  }
  return (
    <p class="body" dir="auto">
      {parts}
      {text.slice(end)}
      {mark && <small class="mark"> {mark}</small>}
    </p>
  )
}
