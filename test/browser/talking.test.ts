import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Visitor } from './browser.js'
import { useChat } from './use-chat.js'

describe('people who talk', () => {
  const chat = useChat({ replicas: 2, env: () => ({ LIMIT_POST: '10000/10' }) })
  let ann: Visitor
  let ben: Visitor
  const room = `Garden ${randomUUID().slice(0, 8)}`

  beforeAll(async () => {
    ;[ann, ben] = await Promise.all([chat.signUp('Ann Archer'), chat.signUp('Ben Baker')])
    await ann.page.goto(chat.stack.url)
    await ann.createRoom(room)
    await ben.join(room)
  })

  it('write Markdown: each of them sees the same elements, and no others', async () => {
    await ann.write(
      [
        '**Bold**, *italic*, ~~gone~~ and `code`: [the docs](https://werf.io/docs)',
        '> a quote',
        '- one',
        '- two',
        '```',
        '  spaces   stay',
        '```',
      ].join('\n'),
    )
    const body = ben.page.locator('[data-seq]').filter({ hasText: 'Bold' }).locator('.body')
    await body.locator('strong').getByText('Bold', { exact: true }).waitFor()
    expect(await body.locator('em, del, p > code').allTextContents()).toEqual(['italic', 'gone', 'code'])
    expect(await body.locator('blockquote').textContent()).toBe('a quote')
    expect(await body.locator('li').allTextContents()).toEqual(['one', 'two'])
    expect(await body.locator('pre').textContent()).toBe('  spaces   stay')
    const link = body.getByRole('link', { name: 'the docs' })
    expect(await link.getAttribute('rel')).toContain('noopener')
    expect(await body.locator('p').first().textContent()).toContain('the docs (werf.io)')
    expect(await ben.accessibilityProblems()).toEqual([])
  })
})
