import { randomUUID } from 'node:crypto'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startMailgun, type FakeMailgun } from '../../apps/server/src/test/mailgun.js'
import { password, type Visitor } from './browser.js'
import { useChat } from './use-chat.js'

/** Two server replicas, a worker and nginx, with real PostgreSQL, Redis, RabbitMQ, S3 and Chromium. */
describe('two people in two browsers', () => {
  let mailgun: FakeMailgun
  beforeAll(async () => {
    mailgun = await startMailgun()
  })
  afterAll(() => mailgun.close())

  const chat = useChat({
    replicas: 2,
    env: () => {
      const { apiKey, domain, from, url } = mailgun.config
      return {
        MAILGUN_APIKEY: apiKey,
        MAILGUN_DOMAIN: domain,
        MAILGUN_FROM: from,
        MAILGUN_URL: url,
        LIMIT_POST: '10000/10',
      }
    },
  })
  let ann: Visitor
  let ben: Visitor
  const room = `Garden ${randomUUID().slice(0, 8)}`
  beforeAll(async () => {
    ann = await chat.arrive('Ann Archer')
    ben = await chat.arrive('Ben Baker')
  })

  it('are sent to the sign-in page, which leads to the sign-up page', async () => {
    await ann.page.goto(chat.stack.url)
    await ann.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    expect(new URL(ann.page.url()).pathname).toBe('/sign-in')
    await ann.page.getByRole('link', { name: 'Sign up' }).click()
    await ann.page.getByRole('heading', { level: 1, name: 'Sign up' }).waitFor()
  })

  it('see what is wrong with their input', async () => {
    await ann.page.goto(`${chat.stack.url}/sign-in`)
    await ann.page.getByLabel('Email').fill('nobody@example.com')
    await ann.page.getByLabel('Password').fill('not my password')
    await ann.page.getByRole('button', { name: 'Sign in' }).click()
    await ann.page.getByRole('alert').getByText('Wrong email or password.').waitFor()
  })

  it('sign up', async () => {
    await Promise.all([ann.signUp(), ben.signUp()])
    await ann.page.getByRole('link', { name: /Ann Archer/ }).waitFor()
  })

  it('upload an avatar, which is stored in the bucket and served as an image', async () => {
    await ann.chooseAvatar(
      await sharp({ create: { width: 640, height: 480, channels: 3, background: '#cc3344' } })
        .png()
        .toBuffer(),
    )
    const picture = ann.page.locator('img').first()
    await picture.waitFor()
    const source = await picture.getAttribute('src')
    expect(source).toMatch(/\/avatars\/[0-9a-f-]{36}\.webp$/)
    await ann.page.waitForFunction(() => (document.querySelector('img')?.naturalWidth ?? 0) === 256)
    const response = await ann.page.request.get(new URL(source ?? '', chat.stack.url).href)
    expect(response.headers()).toMatchObject({ 'content-type': 'image/webp', 'x-content-type-options': 'nosniff' })
  })

  it('meet in a room, where the bot greets the newcomer', async () => {
    await ann.page.goto(chat.stack.url)
    await ann.createRoom(room)
    await ben.join(room)
    await ben.sees('Greeter')
    const greeting = ben.page.locator('[data-seq]').filter({ hasText: 'Ben Baker' })
    await greeting.first().waitFor()
    await ann.page.locator('[data-seq]').filter({ hasText: 'Ben Baker' }).first().waitFor()
    expect(await greeting.count()).toBe(1)
  })

  it('have received one welcome mail each', async () => {
    await expect
      .poll(() => mailgun.taken.map(({ to }) => to).sort(), { timeout: 60_000 })
      .toEqual([ann.email, ben.email].sort())
  })

  it('see each other’s messages and avatars at once', async () => {
    await ann.write('Hello Ben!')
    await ben.sees('Hello Ben!')
    await ben.write('Hello Ann!')
    await ann.sees('Hello Ann!')
    const line = ben.message('Hello Ben!')
    expect(await line.locator('img').getAttribute('src')).toMatch(/\.webp$/)
  })

  it('see a script as text', async () => {
    const script = '<img src=x onerror=alert(1)><script>alert(2)</script>'
    await ann.write(script)
    await ben.sees(script)
    expect(await ben.message(script).locator('img[src=x], script').count()).toBe(0)
  })

  it('see who is typing', async () => {
    // Longer than the client waits before it sends `typing:start` again.
    const typing = ann.composer.pressSequentially('h'.repeat(50), { delay: 200 })
    await ben.page.getByText('Ann Archer is typing…').waitFor()
    await typing
    await ann.composer.fill('')
  })

  it('reply to, edit and delete messages', async () => {
    await ann.write('Lunch at noom?')
    await ben.sees('Lunch at noom?')
    await ann.composer.press('ArrowUp')
    await ann.page.getByRole('textbox', { name: 'Edit message' }).fill('Lunch at noon?')
    await ann.page.getByRole('button', { name: 'Save' }).click()
    const lunch = ben.page.locator('[data-seq]').filter({ hasText: 'Lunch at noon?' })
    await lunch.waitFor()
    await lunch.hover()
    await lunch.getByRole('button', { name: 'Reply' }).click()
    await ben.write('With pleasure.')
    await ann.page.getByRole('button', { name: /In reply to Ann Archer Lunch at noon\?/ }).waitFor()
    const pleasure = ben.message('With pleasure.')
    await pleasure.hover()
    await pleasure.getByRole('button', { name: 'Delete' }).click()
    await ben.page.getByRole('dialog').getByRole('button', { name: 'Delete message' }).click()
    await ann.page.getByText('This message was deleted.').waitFor()
  })

  it('see the same messages after a reload', async () => {
    const before = await ben.conversation()
    expect(before.map(({ seq }) => seq)).toEqual(before.map((_, index) => index + 1))
    await Promise.all([ann.page.reload(), ben.page.reload()])
    await ben.sees('Hello Ben!')
    await ann.sees('Hello Ben!')
    expect(await ben.conversation()).toEqual(before)
    expect(await ann.conversation()).toEqual(before)
  })

  it('see unread counts of rooms that are not open', async () => {
    await ben.page.goto(`${chat.stack.url}/profile`)
    await ben.page.goto(chat.stack.url)
    await ben.page.getByRole('link', { name: 'General', exact: true }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'General' }).waitFor()
    await ann.write('Are you there?')
    await ben.page.getByRole('link', { name: `${room} 1 unread` }).click()
    await ben.sees('Are you there?')
    await ben.page.getByRole('link', { name: room, exact: true }).waitFor()
  })

  it('write offline: messages wait, survive a reload, and arrive once and in order', async () => {
    const lines = ['offline one', 'offline two', 'offline three']
    await ann.context.setOffline(true)
    await ann.page.getByText('You are offline.').waitFor()
    for (const line of lines) await ann.write(line)
    await ann.page.getByText('sending…').first().waitFor()
    // The reload needs the network, too. The page before it has not sent the messages.
    await ann.context.setOffline(false)
    await ann.page.reload()
    await ben.sees('offline three')
    await ann.sees('offline three')
    const arrived = (await ben.conversation()).map(({ text }) => text).filter((text) => text.startsWith('offline'))
    expect(arrived).toEqual(lines)
    expect(await ann.page.getByText('sending…').count()).toBe(0)
  })

  it('lose nothing when both replicas are killed and started again', async () => {
    await ben.write('before the crash')
    await ann.sees('before the crash')
    await Promise.all(chat.stack.replicas.map((replica) => replica.stop('SIGKILL')))
    await ann.page.getByText('You are offline.').waitFor()
    await ann.write('during the crash')
    await ann.page.getByText('sending…').first().waitFor()
    await Promise.all(chat.stack.replicas.map((replica) => replica.start()))
    await ben.sees('during the crash')
    await ben.write('after the crash')
    await ann.sees('after the crash')
    const numbers = (await ann.conversation()).map(({ seq }) => seq)
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
    expect((await ann.conversation()).filter(({ text }) => text === 'during the crash')).toHaveLength(1)
  })

  it('scroll up through a long history without losing their position', async () => {
    for (let n = 1; n <= 130; n += 1) await ann.write(`line ${n}`)
    await ben.sees('line 130')
    await ben.page.reload()
    await ben.sees('line 130')
    expect(await ben.message('line 1').count()).toBe(0)
    for (;;) {
      const first = ben.page.locator('[data-seq]').first()
      // In this order: messages that are not loaded yet come before the first one.
      const seq = await first.getAttribute('data-seq')
      if ((await ben.message('line 1').count()) > 0) break
      await first.scrollIntoViewIfNeeded()
      await ben.page.locator('.scroller').hover()
      await ben.page.mouse.wheel(0, -3000)
      await ben.page.waitForFunction(
        (before) => document.querySelector('[data-seq]')?.getAttribute('data-seq') !== before,
        seq,
      )
    }
    const numbers = (await ben.conversation()).map(({ seq }) => seq)
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
  })

  it('are signed out in every tab at once', async () => {
    const second = await ben.context.newPage()
    await second.goto(chat.stack.url)
    await second.getByRole('navigation', { name: 'Rooms' }).waitFor()
    await ben.page.goto(`${chat.stack.url}/profile`)
    await ben.page.getByRole('button', { name: 'Sign out' }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    await second.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    await ben.page.getByLabel('Email').fill(ben.email)
    await ben.page.getByLabel('Password').fill(password)
    await ben.page.getByRole('button', { name: 'Sign in' }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor({ state: 'hidden' })
    await ben.page.goto(chat.stack.url)
    await ben.page.getByRole('link', { name: room }).waitFor()
  })
})
