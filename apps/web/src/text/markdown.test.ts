import { describe, expect, it } from 'vitest'

import { isEmojiAlone, parseMarkdown, plainTextOf, type Block, type Inline } from './markdown.js'

const link = (href: string, text = href): Inline => ({ kind: 'link', href, text })
const line = (...children: Inline[]): Block => ({ kind: 'text', children })
const strong = (...children: Inline[]): Inline => ({ kind: 'strong', children })
const em = (...children: Inline[]): Inline => ({ kind: 'em', children })

describe('marks in a line', () => {
  it.each<[string, Inline[]]>([
    ['**bold**', [strong('bold')]],
    ['__bold__', [strong('bold')]],
    ['*italic* and _italic_', [em('italic'), ' and ', em('italic')]],
    ['~~gone~~', [{ kind: 'del', children: ['gone'] }]],
    ['**a _b_ c**', [strong('a ', em('b'), ' c')]],
    ['***both***', [strong(em('both'))]],
    ['**open *inside**', ['**open ', em('inside'), '*']],
    ['«**да**», нет', ['«', strong('да'), '», нет']],
    ['`a **b**`', [{ kind: 'code', text: 'a **b**' }]],
    ['``a ` b``', [{ kind: 'code', text: 'a ` b' }]],
    ['[docs](https://a.example/x_(y)) *now*', [link('https://a.example/x_(y)', 'docs'), ' ', em('now')]],
    ['**https://a.example/**', [strong(link('https://a.example/'))]],
    ['https://a.example/*b*_c_d', [link('https://a.example/*b*_c_d')]],
    ['(https://a.example/b_(c)).', ['(', link('https://a.example/b_(c)'), ').']],
  ])('%s', (text, children) => expect(parseMarkdown(text)).toEqual([line(...children)]))

  it.each([
    '2*3*4 and 5 * 3 * 2',
    'snake_case_name',
    '**',
    '****',
    'a ** b ** c',
    '**open',
    'closed**',
    '~~',
    '`',
    '``',
    '¯\\_(ツ)_/¯',
    '[x](javascript:alert(1))',
    '[x](data:text/html,x)',
    '[x](//a.example)',
    'https://',
  ])('%s stays text', (text) => {
    expect(parseMarkdown(text)).toEqual([line(text)])
    expect(plainTextOf(text)).toBe(text)
  })
})

describe('blocks', () => {
  it.each<[string, string, Block[]]>([
    ['lines and blank lines stay', 'a\n\n  b', [line('a\n\n  b')]],
    [
      'a code block keeps its spaces and marks',
      '```ts\n  **a**\n\n> b\n```\nc',
      [{ kind: 'code', text: '  **a**\n\n> b' }, line('c')],
    ],
    ['a code block without an end goes on', 'a\n```\nb', [line('a'), { kind: 'code', text: 'b' }]],
    [
      'a quote',
      'a\n> b\n> **c**\n\nd',
      [line('a'), { kind: 'quote', children: [line('b\n', strong('c'))] }, line('d')],
    ],
    ['a list', '- a\n* b', [{ kind: 'list', start: null, items: [[line('a')], [line('b')]] }]],
    ['a list with numbers', '3. a\n4) b', [{ kind: 'list', start: 3, items: [[line('a')], [line('b')]] }]],
    [
      'a list in a list',
      '1. a\n   - b\n   - c\n2. d',
      [
        {
          kind: 'list',
          start: 1,
          items: [[line('a'), { kind: 'list', start: null, items: [[line('b')], [line('c')]] }], [line('d')]],
        },
      ],
    ],
    ['an item of several lines', '- a\n  b\nc', [{ kind: 'list', start: null, items: [[line('a\nb')]] }, line('c')]],
    ['a minus is no list', '-1\n--\n*', [line('-1\n--\n*')]],
  ])('%s', (_what, text, blocks) => expect(parseMarkdown(text)).toEqual(blocks))

  it('end at a depth, so that they fit on a screen', () => {
    const depthOf = (blocks: Block[]): number =>
      1 + Math.max(0, ...blocks.map((block) => (block.kind === 'quote' ? depthOf(block.children) : 0)))
    expect(depthOf(parseMarkdown(`${'> '.repeat(50)}a`))).toBe(5)
  })
})

it('is one line of text where there is no room for more', () => {
  expect(plainTextOf('**a** `b`\n> [c](https://d.example)\n- e\n- f')).toBe('a b c e f')
})

it.each(['🎉', '👍🏽 👍', '👩‍👩‍👧', '🇩🇪', '❤️🎉🎉'])('%s is emoji alone', (text) => expect(isEmojiAlone(text)).toBe(true))
it.each(['', 'ok 🎉', '42', '#', '🎉🎉🎉🎉🎉🎉🎉'])('“%s” is not emoji alone', (text) =>
  expect(isEmojiAlone(text)).toBe(false),
)

it.each([
  ['marks', '*a _b **c '],
  ['brackets', '[[](('],
  ['ticks', '`a ``b '],
  ['quotes', '> > > '],
  ['lists', '- \n  - '],
  ['the end of a URL', ')'],
  ['emoji', '🎉\u200d'],
])('takes time in proportion to its length: %s', (_what, part) => {
  const timeOf = (length: number) => {
    const text = `https://a.example/${part.repeat(length)}!`
    const times = Array.from({ length: 5 }, () => {
      const begin = performance.now()
      parseMarkdown(text)
      isEmojiAlone(text)
      return performance.now() - begin
    })
    return Math.min(...times)
  }
  timeOf(500)
  // In proportion it is 8, with the square of the length it is 64.
  expect(timeOf(8_000) / Math.max(timeOf(1_000), 0.5)).toBeLessThan(32)
})
