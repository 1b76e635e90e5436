import type { ComponentChildren } from 'preact'

const link = /\bhttps?:\/\/[^\s<>"]+/g
// Punctuation and brackets at the end of a URL belong to the text around it.
const tail = /[.,:;!?'"\])}]+$/

/** The text of a message: URLs become links, everything else stays text. `mark` is a note after it, like “edited”. */
export function Body({ text, mark }: { text: string; mark?: string | false | null }) {
  const parts: ComponentChildren[] = []
  let end = 0
  for (const match of text.matchAll(link)) {
    const url = match[0].replace(tail, '')
    if (!URL.canParse(url)) continue
    parts.push(
      text.slice(end, match.index),
      <a dir="ltr" href={url} target="_blank" rel="noopener noreferrer nofollow">
        {url}
      </a>,
    )
    end = match.index + url.length
  }
  return (
    <p class="body" dir="auto">
      {parts}
      {text.slice(end)}
      {mark && <small class="mark"> {mark}</small>}
    </p>
  )
}
