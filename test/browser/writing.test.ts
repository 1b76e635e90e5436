import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { password, type Visitor } from './browser.js'
import { useChat } from './use-chat.js'

describe('what a person writes', () => {
  const chat = useChat({ env: () => ({ LIMIT_POST: '10000/10' }) })
  let ann: Visitor
  let ben: Visitor
  let cid: Visitor
  const garden = `Garden ${randomUUID().slice(0, 8)}`

  beforeAll(async () => {
    ;[ann, ben, cid] = await Promise.all([chat.signUp('Ann'), chat.signUp('Ben'), chat.signUp('Cid')])
    await ann.createRoom('Attic', 'Private')
    await ann.page.goto(chat.stack.url)
    await ann.createRoom(garden)
    await Promise.all([ben.join(garden), cid.join(garden)])
  })

  it('stays in every form while messages, presence and read marks arrive', async () => {
    const { page } = ann
    const heard: string[] = []
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => heard.push(String(payload))))
    const reader = await ann.context.newPage()
    await reader.goto(page.url())
    // Load the page again, so that all frames of its connection are recorded.
    await page.goto(chat.stack.url)

    let count = 0
    let here = true
    const news = async () => {
      const before = heard.length
      const arrived = (event: string) => heard.slice(before).some((frame) => frame.includes(event))
      here = !here
      await cid.page.goto(here ? chat.stack.url : 'about:blank')
      const box = ben.composer
      await box.pressSequentially(`news ${++count}`)
      // Ben's browser tells only now and then that he types.
      const isTold = async () => {
        await box.press('.')
        return arrived('typing:changed')
      }
      await expect.poll(isTold, { timeout: 60_000 }).toBe(true)
      const text = await box.inputValue()
      await box.press('Enter')
      // The other tab reads the message, and tells this tab.
      await reader.locator('[data-seq]').getByText(text, { exact: true }).waitFor()
      await reader.getByRole('link', { name: garden, exact: true }).waitFor()
      await expect.poll(() => arrived('messages:posted'), { timeout: 60_000 }).toBe(true)
      await expect.poll(() => arrived('presence:changed'), { timeout: 60_000 }).toBe(true)
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    }
    const fieldsOf = (page: Page) =>
      page.evaluate(() => ({
        focused: document.activeElement?.getAttribute('name') ?? document.activeElement?.getAttribute('aria-label'),
        fields: [...document.querySelectorAll<HTMLInputElement>('input, textarea')].map(
          ({ name, type, value, checked, files }) => ({ name, type, value, checked, files: files?.length }),
        ),
      }))
    const stays = async (form: string) => {
      const before = await fieldsOf(page)
      await news()
      expect({ form, ...(await fieldsOf(page)) }).toEqual({ form, ...before })
    }
    const dialog = page.getByRole('dialog')

    await page.getByRole('button', { name: 'New room' }).click()
    await dialog.getByRole('radio', { name: 'Private' }).check()
    await dialog.getByLabel('Name').fill('Secret plans')
    await stays('new room')
    await dialog.getByRole('button', { name: 'Create room' }).click()
    await page.getByRole('heading', { level: 1, name: 'Secret plans (private)' }).waitFor()

    await page.getByRole('button', { name: 'Browse rooms' }).click()
    await dialog.getByLabel('Search by name').fill('no such')
    await stays('browse rooms')
    await page.keyboard.press('Escape')

    await page.getByRole('link', { name: 'Attic' }).click()
    await page.getByLabel('Email').fill('dora@exam')
    await stays('invite')

    await page.getByRole('link', { name: garden }).click()
    await ann.write('Lunch at noom?')
    await ann.sees('Lunch at noom?')
    const box = ann.composer
    await box.press('ArrowUp')
    const edit = page.getByRole('textbox', { name: 'Edit message' })
    await edit.fill('Lunch at noon?')
    await box.fill('By the way')
    await edit.focus()
    await stays('edit and composer')
    await edit.press('Enter')
    await ann.message('Lunch at noon? edited').waitFor()

    await page.getByRole('link', { name: /Profile/ }).click()
    await page
      .getByLabel('Avatar')
      .setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    await page.getByLabel('Current password').fill(password)
    await page.getByLabel('New password').fill('a new password')
    await page.getByLabel('Name').fill('Anna-Maria')
    await stays('profile')
    await page.getByRole('button', { name: 'Save name' }).click()
    await page.getByText('Name saved.').waitFor()
    expect(await page.locator('.profile-name').textContent()).toBe('Anna-Maria')
    await reader.close()
  }, 480_000)

  it('can be seen, copied, sent again and discarded after the membership has ended', async () => {
    const { page } = ann
    await page.goto(chat.stack.url)
    await ann.createRoom('Cellar', 'Private')
    const roomId = new URL(page.url()).pathname.slice('/rooms/'.length)
    const [membership] = await chat.query<{ account_id: string }>(
      'delete from memberships where room_id = $1 returning account_id',
      [roomId],
    )
    await ann.write('Is anybody down here?')
    await page.getByText('Not sent:').waitFor()
    await ann.write('I will shut the door.')
    await expect.poll(() => page.getByText('Not sent:').count(), { timeout: 60_000 }).toBe(2)

    await page.goto(chat.stack.url)
    await page.getByRole('link', { name: /Cellar.*unsent/ }).click()
    const unsent = page.getByRole('list', { name: 'Not sent' }).getByRole('listitem')
    await page.getByRole('heading', { level: 1, name: 'Cellar' }).waitFor()
    expect(await unsent.locator('.body').allTextContents()).toEqual(['Is anybody down here?', 'I will shut the door.'])
    expect(await ann.accessibilityProblems()).toEqual([])
    await ann.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await unsent.first().getByRole('button', { name: 'Copy' }).click()
    await unsent.first().getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('Is anybody down here?')
    await unsent.last().getByRole('button', { name: 'Discard' }).click()
    await expect.poll(() => unsent.count()).toBe(1)

    // After a new invitation, Ann sends the other message from here.
    await chat.query('insert into memberships (room_id, account_id) values ($1, $2)', [roomId, membership!.account_id])
    await unsent.getByRole('button', { name: 'Retry' }).click()
    await ann.sees('Is anybody down here?')
    await page.getByRole('link', { name: 'Cellar (private)', exact: true }).waitFor()
    expect(await page.getByText('I will shut the door.').count()).toBe(0)
  })

  it('stays a reply while another room is open', async () => {
    const { page } = ann
    await ben.write('Who brings the cake?')
    await page.getByRole('link', { name: garden }).click()
    const question = ann.message('Who brings the cake?')
    await question.hover()
    await question.getByRole('button', { name: 'Reply' }).click()
    await page.keyboard.type('I do')
    await page.getByRole('link', { name: 'Attic' }).click()
    await page.getByRole('heading', { level: 1, name: 'Attic' }).waitFor()
    expect(await page.getByText('Replying to').count()).toBe(0)
    await page.getByRole('link', { name: garden }).click()
    await page.getByText('Replying to Ben').waitFor()
    await page.keyboard.type('!')
    await page.keyboard.press('Enter')
    await ben.page
      .getByRole('listitem')
      .filter({ hasText: 'I do!' })
      .getByRole('button', { name: 'In reply to Ben Who brings the cake?' })
      .waitFor()
    await page.getByText('Replying to Ben').waitFor({ state: 'hidden' })
  })

  it('is not cut off when it is too long, and is counted as on the server', async () => {
    const { page } = ann
    const box = ann.composer
    // Like text from the clipboard, which `maxlength` would cut.
    const paste = (text: string) => page.keyboard.insertText(text)
    await box.focus()
    await paste('🙂'.repeat(4_002))
    await page.getByRole('alert').getByText('2 characters too many').waitFor()
    expect(await ann.accessibilityProblems()).toEqual([])
    await box.press('Enter')
    expect(await box.inputValue()).toBe('🙂'.repeat(4_002))
    await box.press('Backspace')
    await page.getByText('1 character too many').waitFor()
    await box.press('Backspace')
    await page.getByText('0 characters left').waitFor()
    await box.press('Enter')
    await ben.sees('🙂'.repeat(4_000))
    await box.press('ArrowUp')
    await page.getByText('0 characters left').waitFor()
    await paste('!')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('1 character too many').waitFor()
    await page.getByRole('textbox', { name: 'Edit message' }).fill('🙂')
    await page.getByRole('button', { name: 'Save' }).click()
    await ben.sees('🙂 edited')

    await page.getByRole('button', { name: 'New room' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').focus()
    await paste('🏡'.repeat(61))
    await dialog.getByText('1 character too many').waitFor()
    await dialog.getByRole('button', { name: 'Create room' }).click()
    await page.keyboard.press('Backspace')
    await dialog.getByText('0 characters left').waitFor()
    await dialog.getByRole('button', { name: 'Create room' }).click()
    await page.getByRole('heading', { level: 1, name: '🏡'.repeat(60) }).waitFor()
  })

  it('does not get lost: the wanted page opens after signing in, even with reloads between', async () => {
    const { page } = ben
    const wanted = page.url()
    await page.goto(`${chat.stack.url}/profile`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    await page.goto(wanted)
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'Sign up' }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign up' }).waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByLabel('Email').fill(ben.email)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: garden }).waitFor()
    expect(page.url()).toBe(wanted)
  })
})
