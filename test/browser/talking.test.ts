import { randomUUID } from 'node:crypto'
import type { Locator } from 'playwright-core'
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

  it('react to a message, by mouse and by keyboard, and see who has', async () => {
    await ann.write('Shall we plant beans?')
    await ben.sees('Shall we plant beans?')
    const atBen = ben.message('Shall we plant beans?')
    await atBen.hover()
    await atBen.getByRole('button', { name: 'React' }).click()
    const picker = ben.page.getByRole('dialog', { name: 'Choose an emoji' })
    await picker.getByRole('button', { name: 'thumbs_up' }).first().waitFor()
    expect(await ben.accessibilityProblems()).toEqual([])
    await picker.getByRole('button', { name: 'thumbs_up' }).first().click()
    await picker.waitFor({ state: 'detached' })

    const atAnn = ann.message('Shall we plant beans?')
    await atAnn.getByRole('button', { name: '👍 1, Ben Baker' }).click()
    await atBen.getByRole('button', { name: '👍 2, You and Ann Archer' }).waitFor()

    // By keyboard alone: from the composer to the message, its buttons, the search and the emoji.
    await ann.page.keyboard.press('Shift+Tab')
    await atAnn.focus()
    await atAnn.getByRole('button', { name: 'React' }).focus()
    await ann.page.keyboard.press('Enter')
    const atKeyboard = ann.page.getByRole('dialog', { name: 'Choose an emoji' })
    await atKeyboard.getByRole('searchbox').fill('rocket')
    await ann.page.keyboard.press('Enter')
    await atBen.getByRole('button', { name: '🚀 1, Ann Archer' }).waitFor()
    expect(await ann.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('React')

    await atAnn.getByRole('button', { name: '🚀 1, You' }).click()
    await atBen.getByRole('button', { name: '🚀 1, Ann Archer' }).waitFor({ state: 'detached' })
    expect(await ann.accessibilityProblems()).toEqual([])
  })

  it('name a person by choosing from the members, and the person sees it in the list of rooms', async () => {
    await ben.page.getByRole('link', { name: 'General', exact: true }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'General' }).waitFor()
    await ann.composer.pressSequentially('@ro')
    await ann.page.getByRole('option', { name: 'room everyone in the room' }).waitFor()
    await ann.composer.press('Escape')
    await ann.composer.fill('')
    await ann.composer.pressSequentially('Thank you, @be')
    await ann.page.getByRole('option', { name: 'Ben Baker' }).waitFor()
    expect(await ann.accessibilityProblems()).toEqual([])
    await ann.composer.press('Enter')
    expect(await ann.composer.inputValue()).toBe('Thank you, @Ben Baker ')
    await ann.composer.press('Enter')
    await ben.page.getByRole('link', { name: `${room} @1 naming you 1 unread` }).click()
    await ben.page.locator('.message--named .mention--own').getByText('@Ben Baker').waitFor()
    await ann.page.locator('.mention').getByText('@Ben Baker').waitFor()
  })

  it('mark messages as unread, which stay so until the room is opened again', async () => {
    await ann.write('Unread me.')
    await ben.sees('Unread me.')
    const message = ben.message('Unread me.')
    await message.hover()
    await message.getByRole('button', { name: 'Mark as unread from here' }).click()
    const entry = ben.page.getByRole('link', { name: `${room} 1 unread` })
    await entry.waitFor()
    await ben.page.locator('.unread + .message, .unread').getByText('New').waitFor()
    await ben.page.reload()
    await ben.page.getByRole('link', { name: room, exact: true }).waitFor()
    await ben.sees('Unread me.')
  })

  it('write emoji by name, or choose them', async () => {
    await ann.composer.pressSequentially('Done :tada: ')
    await expect.poll(() => ann.composer.inputValue(), { timeout: 60_000 }).toBe('Done 🎉 ')
    await ann.page.getByRole('button', { name: 'Insert emoji' }).click()
    await ann.page.getByRole('dialog', { name: 'Choose an emoji' }).getByRole('button', { name: 'fire' }).click()
    await expect.poll(() => ann.composer.inputValue(), { timeout: 60_000 }).toBe('Done 🎉 🔥')
    await ann.composer.press('Enter')
    await ben.sees('Done 🎉 🔥')
    await ann.write('🎉')
    await ben.page.locator('.body--emoji').getByText('🎉', { exact: true }).waitFor()
  })

  it('see a reaction that came while they were offline', async () => {
    await ann.write('Who brings a spade?')
    await ben.sees('Who brings a spade?')
    await ben.context.setOffline(true)
    await ben.page.getByText('You are offline.').waitFor()
    const atAnn = ann.message('Who brings a spade?')
    await atAnn.hover()
    await atAnn.getByRole('button', { name: 'React' }).click()
    await ann.page
      .getByRole('dialog', { name: 'Choose an emoji' })
      .getByRole('button', { name: 'eyes' })
      .first()
      .click()
    await atAnn.getByRole('button', { name: '👀 1, You' }).waitFor()
    await ben.context.setOffline(false)
    await ben.message('Who brings a spade?').getByRole('button', { name: '👀 1, Ann Archer' }).waitFor()
  })

  it('begin a direct conversation from the members, and one from the switcher, and find the same one', async () => {
    await ann.page.getByRole('button', { name: 'Message Ben Baker' }).click()
    await ann.page.getByRole('heading', { level: 1, name: 'Ben Baker' }).waitFor()
    await ann.write('Just between us.')
    const address = ann.page.url()

    const entry = ben.page.getByRole('link', { name: 'Ann Archer 1 unread' })
    await entry.click()
    await ben.sees('Just between us.')
    expect(new URL(ben.page.url()).pathname).toBe(new URL(address).pathname)

    await ben.page.getByRole('link', { name: room }).click()
    await ben.page.getByRole('heading', { level: 1, name: room }).waitFor()
    await ben.page.keyboard.press('Control+k')
    const search = ben.page.getByRole('combobox', { name: 'Room or person' })
    await search.fill('ann')
    await ben.page.getByRole('option', { name: 'Ann Archer' }).waitFor()
    expect(await ben.accessibilityProblems()).toEqual([])
    await search.press('Enter')
    await ben.page.getByRole('heading', { level: 1, name: 'Ann Archer' }).waitFor()
    await ben.sees('Just between us.')
    expect(ben.page.url()).toBe(address)
  })

  it('search messages, and open a found one in its place', async () => {
    await ann.page.getByRole('link', { name: room }).click()
    await ann.page.getByRole('heading', { level: 1, name: room }).waitFor()
    await ann.page.getByRole('button', { name: 'Search messages' }).click()
    const dialog = ann.page.getByRole('dialog', { name: 'Search messages' })
    await dialog.getByLabel('Words').fill('plant bean')
    await dialog.getByLabel('Words').press('Enter')
    const found = dialog.getByRole('list', { name: 'Found messages' }).getByRole('link')
    await found.getByText('Shall we').waitFor()
    expect(await found.locator('mark').allTextContents()).toEqual(['plant', 'beans'])
    expect(await ann.accessibilityProblems()).toEqual([])
    await dialog.getByLabel('By').selectOption({ label: 'Ben Baker' })
    await dialog.getByRole('button', { name: 'Search' }).click()
    await dialog.getByText('No message has these words.').waitFor()
    await dialog.getByLabel('By').selectOption({ label: 'Ann Archer' })
    await dialog.getByRole('button', { name: 'Search' }).click()
    await found.click()
    await ann.page.locator('.message--highlighted').getByText('Shall we plant beans?').waitFor()
    await dialog.waitFor({ state: 'detached' })
  })

  it('meet a person on a card beside their name, and copy the link of a message', async () => {
    await ann.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await ann.write('I bring cake.')
    await ben.page.getByRole('link', { name: room }).click()
    await ben.write('And I bring coffee.')
    await ann.sees('And I bring coffee.')
    await ann.message('I bring cake.').hover()
    await ann.message('I bring cake.').getByRole('button', { name: 'Copy link' }).click()
    const link = await ann.page.evaluate(() => navigator.clipboard.readText())
    expect(link).toMatch(/\/rooms\/[0-9a-f-]{36}\/\d+$/)
    await ben.page.goto(link)
    await ben.page.locator('.message--highlighted').getByText('I bring cake.').waitFor()

    await ann.message('And I bring coffee.').getByRole('button', { name: 'Ben Baker' }).click()
    const card = ann.page.getByRole('dialog', { name: 'Ben Baker' })
    expect(await ann.accessibilityProblems()).toEqual([])
    await card.getByRole('button', { name: 'Message' }).click()
    await ann.page.getByRole('heading', { level: 1, name: 'Ben Baker' }).waitFor()
    await card.waitFor({ state: 'detached' })
  })

  it('go from room to room, mark one as read and see the keys, by keyboard alone', async () => {
    await ben.page.getByRole('link', { name: 'Ann Archer' }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'Ann Archer' }).waitFor()
    await ben.page.keyboard.press('Alt+ArrowUp')
    await ben.page.getByRole('heading', { level: 1, name: 'General' }).waitFor()
    await ben.page.keyboard.press('Alt+ArrowDown')
    await ben.page.getByRole('heading', { level: 1, name: 'Ann Archer' }).waitFor()
    await ben.page.getByRole('heading', { level: 1 }).click()
    await ben.page.keyboard.press('?')
    const dialog = ben.page.getByRole('dialog', { name: 'Keys' })
    await dialog.getByText('Go to a room or a person').waitFor()
    expect(await ben.accessibilityProblems()).toEqual([])
    await ben.page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  })

  it('give a room a topic and another name, archive it, and read it on', async () => {
    await ann.page.getByRole('link', { name: room, exact: true }).click()
    await ben.page.getByRole('link', { name: room, exact: true }).click()
    await ben.page.getByRole('heading', { level: 1, name: room }).waitFor()
    expect(await ben.page.getByRole('button', { name: 'Room details' }).count()).toBe(0)
    const changed = `${room}, outside`
    const change = async (fill: (dialog: Locator) => Promise<void>) => {
      await ann.page.getByRole('button', { name: 'Room details' }).click()
      const dialog = ann.page.getByRole('dialog', { name: 'Room details' })
      await fill(dialog)
      await dialog.getByRole('button', { name: 'Save' }).click()
      await dialog.waitFor({ state: 'detached' })
    }
    await change(async (dialog) => {
      await dialog.getByLabel('Name').fill(changed)
      await dialog.getByLabel('Topic').fill('Beans, and who waters them')
      expect(await ann.accessibilityProblems()).toEqual([])
    })
    await ben.page.getByRole('heading', { level: 1, name: changed }).waitFor()
    await ben.page.getByText('Beans, and who waters them').waitFor()
    await ben.page.getByRole('link', { name: changed }).waitFor()
    expect(await ben.accessibilityProblems()).toEqual([])

    await change((dialog) => dialog.getByLabel('Archived').check())
    await ben.page.getByText('This room is archived.').waitFor()
    await ben.page.getByRole('heading', { level: 2, name: 'Archived rooms' }).waitFor()
    expect(await ben.composer.count()).toBe(0)
    await ben.sees('I bring cake.')
    await ben.message('I bring cake.').hover()
    expect(await ben.message('I bring cake.').getByRole('button', { name: 'React' }).count()).toBe(0)
    expect(await ben.accessibilityProblems()).toEqual([])

    await change((dialog) => dialog.getByLabel('Archived').uncheck())
    await ben.composer.waitFor()
    await ben.write('The garden is open again.')
    await ann.sees('The garden is open again.')
  })
})
