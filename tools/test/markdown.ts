export interface Table {
  /** The heading above the table. */
  heading: string
  header: string[]
  rows: string[][]
}

/** A page without its code blocks and comments. */
export function proseOf(page: string): string {
  return page.replaceAll(/^ *```[^]*?^ *```$|<!--[^]*?-->/gm, '')
}

/** The tables of a page, in their order. */
export function tablesIn(page: string): Table[] {
  const tables: Table[] = []
  let heading = ''
  let table: Table | undefined
  for (const line of proseOf(page).split('\n')) {
    heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading
    if (!line.startsWith('|')) table = undefined
    else if (table === undefined) tables.push((table = { heading, header: cellsOf(line), rows: [] }))
    else if (!/^\|[|:-]+\|$/.test(line)) table.rows.push(cellsOf(line))
  }
  return tables
}

/** The headings of a page, in their order. */
export function headingsIn(page: string): { level: number; text: string }[] {
  return [...proseOf(page).matchAll(/^(#+) (.+)$/gm)].map(([, marks = '', text = '']) => ({
    level: marks.length,
    text,
  }))
}

/** The text below a heading of the second level, up to the next such heading, without code blocks. */
export function sectionOf(page: string, heading: string): string {
  const section = proseOf(page)
    .split(/^## /m)
    .find((text) => text.startsWith(`${heading}\n`))
  return section?.slice(heading.length) ?? ''
}

/** The code blocks of a page, in their order. */
export function blocksIn(page: string): { language: string; text: string }[] {
  return [...page.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map(([, , language = '', text = '']) => ({
    language,
    text,
  }))
}

/** The links of a page, in their order, without links to other sites. */
export function linksIn(page: string): { text: string; target: string }[] {
  const links = [...proseOf(page).matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)].map(([, text = '', target = '']) => ({
    text,
    target,
  }))
  return links.filter(({ target }) => !/^[a-z]+:/.test(target))
}

/** All texts in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** Anchors of a page's headings, as GitHub and GitLab make them. */
export function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>()
  return headingsIn(page).map((heading) => {
    const text = heading.text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-')
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  })
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll(String.raw`\|`, '|'))
}
