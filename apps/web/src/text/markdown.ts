/**
 * The Markdown of messages: bold, italic, strike, code, quotes, lists and links. Everything else stays text.
 *
 * The parser returns a tree of these few kinds and never HTML, so no text can become another element. It reads each
 * character a few times at most, however the text is made.
 */

export type Inline =
  | string
  | { kind: 'strong' | 'em' | 'del'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; href: string; text: string }

export type Block =
  | { kind: 'text'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'quote'; children: Block[] }
  /** `start` is the number of the first item, null in a list without numbers. */
  | { kind: 'list'; start: number | null; items: Block[][] }

const fence = /^ {0,3}```[^`]*$/
const quoted = /^ {0,3}> ?/
const item = /^ ?(?:[-*]|(\d{1,9})[.)]) +(?=\S)/
const continued = /^ {2,4}(?=\S)/
/** Quotes and lists inside one another: what is deeper stays text. */
const deepest = 4

export function parseMarkdown(text: string): Block[] {
  return blocksOf(text.split('\n'), 0)
}

function blocksOf(lines: string[], depth: number): Block[] {
  const blocks: Block[] = []
  const paragraph: string[] = []
  let at = 0
  /** Takes lines for as long as they begin like this, and removes the beginning. */
  const takeWhile = (begin: RegExp) => {
    const taken: string[] = []
    for (; at < lines.length && begin.test(lines[at]!); at += 1) taken.push(lines[at]!.replace(begin, ''))
    return taken
  }
  const endParagraph = () => {
    const isBlank = (line: string | undefined) => line?.trim() === ''
    while (isBlank(paragraph[0])) paragraph.shift()
    while (isBlank(paragraph.at(-1))) paragraph.pop()
    const text = paragraph.splice(0).join('\n')
    if (text) blocks.push({ kind: 'text', children: inlinesOf(text) })
  }
  const push = (block: Block) => {
    endParagraph()
    blocks.push(block)
  }

  while (at < lines.length) {
    const line = lines[at]!
    const mark = item.exec(line)
    if (fence.test(line)) {
      const end = lines.findIndex((line, index) => index > at && line.trim() === '```')
      push({ kind: 'code', text: lines.slice(at + 1, end < 0 ? undefined : end).join('\n') })
      at = end < 0 ? lines.length : end + 1
    } else if (depth < deepest && quoted.test(line)) {
      push({ kind: 'quote', children: blocksOf(takeWhile(quoted), depth + 1) })
    } else if (depth < deepest && mark) {
      const numbered = mark[1] !== undefined
      const items: Block[][] = []
      for (let next: RegExpExecArray | null = mark; next && (next[1] !== undefined) === numbered;) {
        const first = lines[at]!.slice(next[0].length)
        at += 1
        items.push(blocksOf([first, ...takeWhile(continued)], depth + 1))
        next = item.exec(lines[at] ?? '')
      }
      push({ kind: 'list', start: numbered ? Number(mark[1]) : null, items })
    } else {
      paragraph.push(line)
      at += 1
    }
  }
  endParagraph()
  return blocks
}

const kinds = { '**': 'strong', __: 'strong', '*': 'em', _: 'em', '~~': 'del' } as const
type Mark = keyof typeof kinds

const token =
  /(?<!`)(?<ticks>`+)(?!`)(?<code>[^]*?[^`])\k<ticks>(?!`)|\[(?<title>[^[\]\n]+)\]\((?<href>https?:\/\/(?:[^\s<>()"]|\([^\s<>()"]*\))+)\)|\b(?<url>https?:\/\/[^\s<>"]+)|(?<marks>\*{1,3}|_{1,3}|~~)/g
const isWord = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}]/u.test(char)
const isSpace = (char: string | undefined) => char === undefined || /\s/.test(char)

function inlinesOf(text: string): Inline[] {
  /** The text around, then each mark that is open, with what has come since. A mark is never inside itself. */
  const open: { mark: Mark | ''; children: Inline[] }[] = [{ mark: '', children: [] }]
  const add = (...inlines: Inline[]) => {
    const { children } = open.at(-1)!
    for (const inline of inlines) {
      const last = children.at(-1)
      if (typeof inline === 'string' && typeof last === 'string') children[children.length - 1] = last + inline
      else if (inline !== '') children.push(inline)
    }
  }
  /** Takes the innermost mark back: it has no partner, so it is text. */
  const giveUp = () => {
    const { mark, children } = open.pop()!
    add(mark, ...children)
  }

  const takeMarks = (run: string, before: string | undefined, after: string | undefined) => {
    const canOpen = !isSpace(after) && !isWord(before) && before !== '\\'
    const canClose = !isSpace(before) && !isWord(after)
    for (let rest = run; rest;) {
      const { mark: inner, children } = open.at(-1)!
      const isInner = inner !== '' && rest.startsWith(inner) && children.length > 0
      const mark = (isInner ? inner : rest.slice(0, 2) in kinds ? rest.slice(0, 2) : rest[0]!) as Mark
      rest = rest.slice(mark.length)
      const isOpen = open.some((each) => each.mark === mark)
      if (isOpen && canClose) {
        while (open.at(-1)!.mark !== mark) giveUp()
        const { children } = open.pop()!
        add(...(children.length > 0 ? [{ kind: kinds[mark], children }] : [mark, mark]))
      } else if (canOpen && !isOpen) open.push({ mark, children: [] })
      else add(mark)
    }
  }

  let end = 0
  token.lastIndex = 0
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const { 0: whole, index, groups } = match
    const { code, title, href, marks } = groups!
    const url = groups!.url && withoutTail(groups!.url)
    add(text.slice(end, index))
    end = index + whole.length
    if (code !== undefined) add({ kind: 'code', text: code })
    else if (title !== undefined && URL.canParse(href!)) add({ kind: 'link', href: href!, text: title })
    else if (url && URL.canParse(url)) {
      add({ kind: 'link', href: url, text: url })
      end = index + url.length
      // What is cut off may be marks.
      token.lastIndex = end
    } else if (marks) takeMarks(marks, text[index - 1], text[end])
    else add(whole)
  }
  add(text.slice(end))
  while (open.length > 1) giveUp()
  return open[0]!.children
}

/** Punctuation at the end of a URL belongs to the text around it, and so does a bracket that was not opened in the URL. */
function withoutTail(url: string): string {
  let surplus = url.split(')').length - url.split('(').length
  let end = url.length
  while (end > 0 && (url[end - 1] === ')' ? surplus-- > 0 : '.,:;!?\'"*_~]}'.includes(url[end - 1]!))) end -= 1
  return url.slice(0, end)
}

/** The text without its marks, for places with one line. */
export function plainTextOf(text: string): string {
  const ofInline = (inline: Inline): string =>
    typeof inline === 'string' ? inline : 'children' in inline ? inline.children.map(ofInline).join('') : inline.text
  const ofBlock = (block: Block): string => {
    if (block.kind === 'text') return block.children.map(ofInline).join('')
    if (block.kind === 'code') return block.text
    return (block.kind === 'quote' ? block.children : block.items.flat()).map(ofBlock).join(' ')
  }
  return parseMarkdown(text).map(ofBlock).join(' ')
}

const emoji = new RegExp('^(?:\\p{RGI_Emoji}\\s*){1,6}$', 'v')

/** True for a message of one to six emoji and nothing else. */
export const isEmojiAlone = (text: string) => emoji.test(text)
