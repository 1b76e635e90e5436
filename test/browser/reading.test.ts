import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { launchBrowser, Visitor } from './browser.js'
import { useChat } from './use-chat.js'

describe('a conversation', () => {
  const chat = useChat()

  /** Two people in a room, all with these names. Ann uses a phone. */
  const meet = async (names: { ann: string; ben: string; room: string }) => {
    const [ann, ben] = await Promise.all([chat.arrive('Ann', { width: 390, height: 844 }), chat.arrive('Ben')])
    for (const [visitor, name] of [
      [ann, names.ann],
      [ben, names.ben],
    ] as const) {
      await visitor.signUp()
      const answer = await visitor.page.request.patch(`${chat.stack.url}/api/me`, {
        headers: { origin: chat.stack.url },
        data: { name },
      })
      expect(answer.status()).toBe(200)
      await visitor.page.goto(chat.stack.url)
    }
    await ben.createRoom(names.room)
    await ann.join(names.room)
    return { ann, ben }
  }

  it('shows right-to-left text from right to left', async () => {
    const names = { ann: 'דנה!', ben: 'אורי!', room: 'הגינה!' }
    const { ann, ben } = await meet(names)
    const { page } = ben
    /** In right-to-left text, the mark after the last letter is to the left of the first letter. */
    const runs = (text: Locator) =>
      text.evaluate((element) => {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
        const node = walker.nextNode()!
        const leftOf = (at: number) => {
          const range = document.createRange()
          range.setStart(node, at)
          range.setEnd(node, at + 1)
          return range.getBoundingClientRect().left
        }
        return leftOf(node.textContent!.length - 1) < leftOf(0) ? 'from right to left' : 'from left to right'
      })
    const said = 'שלום לכולם!'
    await ann.composer.pressSequentially(said, { delay: 20 })
    expect(await ann.composer.evaluate((field) => getComputedStyle(field).direction)).toBe('rtl')
    const typing = page.locator('.typing')
    await typing.getByText(names.ann).waitFor()
    const seen: Record<string, string> = { typing: await runs(typing.getByText(names.ann)) }
    await ann.composer.press('Enter')
    await ben.sees(said)
    const message = ben.message(said)
    await message.hover()
    await message.getByRole('button', { name: 'Reply' }).click()
    const reply = page.locator('.composer-reply')
    seen.replying = await runs(reply.getByText(names.ann, { exact: true }))
    seen['replying to'] = await runs(reply.getByText(said, { exact: true }))
    await ben.composer.fill('תודה!')
    await ben.composer.press('Enter')
    await ben.sees('תודה!')
    const quote = page.getByRole('button', { name: 'In reply to' })
    seen.quoted = await runs(quote.getByText(names.ann, { exact: true }))
    seen.quote = await runs(quote.getByText(said, { exact: true }))
    seen.message = await runs(page.locator('.body').filter({ hasText: said }))
    seen.author = await runs(page.getByRole('listitem').getByRole('heading').getByText(names.ann, { exact: true }))
    seen.member = await runs(page.getByRole('complementary').getByText(names.ann, { exact: true }))
    seen.room = await runs(page.getByRole('heading', { level: 1 }).getByText(names.room, { exact: true }))
    seen.list = await runs(page.getByRole('navigation').getByText(names.room, { exact: true }))
    seen.me = await runs(page.getByRole('navigation').getByText(names.ben, { exact: true }))
    await page.getByRole('link', { name: /Profile/ }).click()
    expect(await page.getByLabel('Name').evaluate((field) => getComputedStyle(field).direction)).toBe('rtl')
    seen.profile = await runs(page.locator('.profile-name').getByText(names.ben, { exact: true }))
    expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((place) => [place, 'from right to left'])))

    await page.goBack()
    // Each line has its own direction. A URL and the texts of the chat do not affect it.
    await ben.write('first in English!\nושורה בעברית: https://example.com/a/!')
    // The stored message: the unsent one is removed from the page after a moment.
    const lines = page.locator('[data-seq] .body p').filter({ hasText: 'first in English!' })
    await lines.getByRole('link').waitFor()
    expect(
      await lines.evaluate((element) => {
        const range = document.createRange()
        const text = element.firstChild!
        const at = (place: number) => {
          range.setStart(text, place)
          range.setEnd(text, place + 1)
          return range.getBoundingClientRect().left
        }
        const link = element.querySelector('a')!.getBoundingClientRect()
        const hebrew = text.textContent!.indexOf('\n') + 1
        return { english: at(16) > at(0), hebrew: at(hebrew + 3) < at(hebrew), link: link.left < at(hebrew) }
      }),
    ).toEqual({ english: true, hebrew: true, link: true })
    await Promise.all([ann.leave(), ben.leave()])
  })

  it('shortens a long name to fit on its line, and shows the whole name in a tooltip', async () => {
    const names = { ann: 'W'.repeat(60), ben: 'M'.repeat(60), room: 'Q'.repeat(60) }
    const { ann, ben } = await meet(names)
    /** Places where a name is not on one line within the window, shortened with an ellipsis. */
    const unfit = (page: Page) =>
      page.evaluate((names) => {
        const found: string[] = []
        let shown = 0
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const element = node.parentElement!
          const name = names.find((name) => node.textContent!.includes(name))
          if (!name || element.closest('.hidden, .body, textarea') || !element.checkVisibility()) continue
          shown += 1
          const { textOverflow, whiteSpaceCollapse, textWrapMode, overflowX } = getComputedStyle(element)
          const { left, right } = element.getBoundingClientRect()
          const fits =
            textOverflow === 'ellipsis' &&
            textWrapMode === 'nowrap' &&
            overflowX === 'hidden' &&
            left >= 0 &&
            right <= innerWidth &&
            element.title === name
          if (!fits)
            found.push(
              `${element.parentElement!.outerHTML.slice(0, 120)} ${textOverflow} ${whiteSpaceCollapse} ${left} ${right}`,
            )
        }
        return {
          found,
          some: shown > 0,
          overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        }
      }, Object.values(names))
    const fine = { found: [], some: true, overflow: 0 }
    expect({ at: 'empty room', ...(await unfit(ann.page)) }).toEqual({ at: 'empty room', ...fine })
    const lines = (field: HTMLElement) =>
      Math.round((field.clientHeight - 12) / Number.parseFloat(getComputedStyle(field).lineHeight))
    expect(await ann.composer.evaluate(lines)).toBe(1)
    await ann.write('Hello')
    await ben.sees('Hello')
    for (const visitor of [ann, ben]) {
      const { page } = visitor
      const message = visitor.message('Hello').first()
      await message.focus()
      await message.getByRole('button', { name: 'Reply' }).click()
      await page.locator('.composer-reply').waitFor()
      expect({ at: 'reply', ...(await unfit(page)) }).toEqual({ at: 'reply', ...fine })
      await visitor.write('Hello to you')
      await visitor.sees('Hello to you')
      await page
        .getByRole('button', { name: /In reply to/ })
        .first()
        .waitFor()
      const members = page.getByRole('button', { name: 'Members', exact: true })
      if ((await members.getAttribute('aria-expanded')) === 'false') await members.click()
      await page.getByText(names.ben).last().waitFor()
      expect({ at: 'conversation', ...(await unfit(page)) }).toEqual({ at: 'conversation', ...fine })
    }
    const { page } = ann
    // Longer than the client waits before it sends `typing:start` again.
    const typing = ben.composer.pressSequentially('h'.repeat(50), { delay: 200 })
    await page.locator('.typing').getByText('is typing').waitFor()
    expect({ at: 'typing', ...(await unfit(page)) }).toEqual({ at: 'typing', ...fine })
    expect(await page.locator('.typing').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0)
    await typing
    await page.goto(`${chat.stack.url}/profile`)
    await page.getByRole('button', { name: 'Save name' }).waitFor()
    expect({ at: 'profile', ...(await unfit(page)) }).toEqual({ at: 'profile', ...fine })
    const other = 'Z'.repeat(60)
    names.room = other
    await ben.page.goto(chat.stack.url)
    await ben.createRoom(other)
    await ann.comeBack()
    const dialog = await ann.browse()
    await dialog.getByText(other).waitFor()
    expect({ at: 'browse', ...(await unfit(page)) }).toEqual({ at: 'browse', ...fine })
    await dialog.getByText(other).click()
    await page.getByRole('button', { name: 'Join room' }).waitFor()
    expect({ at: 'join', ...(await unfit(page)) }).toEqual({ at: 'join', ...fine })
    await Promise.all([ann.leave(), ben.leave()])
  })

  it('keeps enough of the window when the text is twice as large', async () => {
    const large = await launchBrowser('--blink-settings=defaultFontSize=32')
    const [fay, gus] = await Promise.all([
      // Fay enlarges the text in the settings of the browser, Gus by a user style.
      Visitor.arrive(large, chat.stack.url, 'Fay'),
      chat.arrive('Gus'),
    ])
    await gus.page.addInitScript(() =>
      addEventListener('DOMContentLoaded', () => {
        document.documentElement.style.fontSize = '200%'
      }),
    )
    for (const visitor of [fay, gus]) {
      const { page } = visitor
      await visitor.signUp()
      expect(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize)).toBe('32px')
      await visitor.createRoom(`Large ${visitor.name}`)
      const share = () =>
        page.evaluate(() => document.querySelector('.scroller')!.getBoundingClientRect().width / innerWidth)
      const overflow = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(await share()).toBeGreaterThan(1 / 3)
      expect(await overflow()).toBe(0)
      await page.setViewportSize({ width: 390, height: 844 })
      await expect.poll(share).toBe(1)
      expect(await overflow()).toBe(0)
      await page.goto(`${chat.stack.url}/profile`)
      const address = page.getByText(visitor.email)
      await address.waitFor()
      expect(await address.evaluate(({ clientWidth }) => clientWidth / innerWidth)).toBeGreaterThan(1 / 2)
      expect(await overflow()).toBe(0)
    }
    expect(await fay.accessibilityProblems()).toEqual([])
    await Promise.all([fay.leave(), gus.leave()])
    await large.close()
  })

  it('has the members beside it in a wide window, and in a dialog on a phone', async () => {
    const hal = await chat.signUp('Hal')
    const { page } = hal
    await hal.createRoom('Panels', 'Private')
    await page.getByRole('complementary', { name: 'Members' }).getByText('Hal').waitFor()
    await page.setViewportSize({ width: 390, height: 844 })
    await page.getByRole('complementary').waitFor({ state: 'detached' })
    const button = page.getByRole('button', { name: 'Members', exact: true })
    const panel = page.getByRole('dialog', { name: 'Members' })
    const hasFocus = (locator: Locator) => locator.evaluate((element) => element === document.activeElement)

    await button.click()
    await panel.getByText('Hal').waitFor()
    expect(await hal.accessibilityProblems()).toEqual([])
    expect(await panel.evaluate((element) => element.contains(document.activeElement))).toBe(true)
    // The page behind the dialog cannot be reached.
    expect(await hal.composer.evaluate((field: HTMLElement) => (field.focus(), field === document.activeElement))).toBe(
      false,
    )
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press('Tab')
      expect(
        await page.evaluate(
          () => document.activeElement!.closest('dialog, body')!.tagName + document.activeElement!.tagName,
        ),
      ).toMatch(/^DIALOG|BODYBODY/)
    }
    await panel.getByLabel('Email').focus()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
    expect(await hasFocus(button)).toBe(true)

    await button.click()
    await panel.getByText('Hal').click()
    await panel.getByRole('heading', { name: 'Members' }).click({ position: { x: 2, y: 2 } })
    expect(await panel.isVisible()).toBe(true)
    await page.mouse.click(20, 400)
    await panel.waitFor({ state: 'detached' })
    expect(await hasFocus(button)).toBe(true)
    await button.click()
    await panel.getByRole('button', { name: 'Close members' }).click()
    await panel.waitFor({ state: 'detached' })
    expect(await hasFocus(button)).toBe(true)
    await button.click()
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.getByRole('complementary', { name: 'Members' }).getByText('Hal').waitFor()
    await hal.leave()
  })
})
