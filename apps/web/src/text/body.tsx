import type { Mention } from '@chat/server/contract'

import { Mentions } from '../mentions/mentions.js'
import { isEmojiAlone, parseMarkdown, type Block, type Inline } from './markdown.js'

type BodyProps = {
  text: string
  mentions: readonly Mention[]
  /** The id of this account, whose mentions stand out. */
  me: string
  /** A note after the text, like “edited”. */
  mark?: string | false | null
  /** Of the links, and of code that may scroll. */
  tabIndex?: number
}

/** The text of a message, with its Markdown. */
export function Body({ text, mentions, me, mark, tabIndex }: BodyProps) {
  const note = mark && <small class="mark"> {mark}</small>
  const blocks = parseMarkdown(text)
  const last = blocks.at(-1)
  const inlines = (children: Inline[]) => children.map((inline) => inlineOf(inline))
  const inlineOf = (inline: Inline) => {
    if (typeof inline === 'string') return <Mentions text={inline} mentions={mentions} me={me} />
    if (inline.kind === 'code') return <code dir="auto">{inline.text}</code>
    if (inline.kind === 'link') return <TextLink {...inline} tabIndex={tabIndex} />
    const Mark = inline.kind
    return <Mark>{inlines(inline.children)}</Mark>
  }
  const blockOf = (block: Block) => {
    if (block.kind === 'text')
      return (
        <p>
          {inlines(block.children)}
          {block === last && note}
        </p>
      )
    if (block.kind === 'code')
      return (
        <pre tabIndex={tabIndex}>
          <code>{block.text}</code>
        </pre>
      )
    if (block.kind === 'quote') return <blockquote>{block.children.map(blockOf)}</blockquote>
    const items = block.items.map((item) => <li>{item.map(blockOf)}</li>)
    return block.start === null ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>
  }
  return (
    <div class={`body${isEmojiAlone(text) ? ' body--emoji' : ''}`} dir="auto">
      {blocks.map(blockOf)}
      {last?.kind !== 'text' && note}
    </div>
  )
}

/** A link with a title names its host, because the title may claim another one. */
function TextLink({ href, text, tabIndex }: { href: string; text: string; tabIndex: number | undefined }) {
  return (
    <>
      <a
        dir={text === href ? 'ltr' : 'auto'}
        href={href}
        title={href}
        tabIndex={tabIndex}
        target="_blank"
        rel="noopener noreferrer nofollow"
      >
        {text}
      </a>
      {text !== href && <span class="subtle"> ({new URL(href).host})</span>}
    </>
  )
}
