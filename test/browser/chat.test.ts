import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startMailgun, type FakeMailgun } from '../../apps/server/src/test/mailgun.js'
import { password, type Visitor } from './browser.js'
import { useChat } from './use-chat.js'

/** Two server replicas, a worker, nginx in front; PostgreSQL, Redis, RabbitMQ, S3 and Chromium, all of them real. */
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

  it('are sent to the sign-in page first, and from there to wherever they want', async () => {
    await ann.page.goto(chat.stack.url)
    await ann.page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    expect(new URL(ann.page.url()).pathname).toBe('/sign-in')
    await ann.page.getByRole('link', { name: 'Sign up' }).click()
    await ann.page.getByRole('heading', { level: 1, name: 'Sign up' }).waitFor()
  })

  it('are told what is wrong with what they typed', async () => {
    await ann.page.goto(`${chat.stack.url}/sign-in`)
    await ann.page.getByLabel('Email').fill('nobody@example.com')
    await ann.page.getByLabel('Password').fill('not my password')
    await ann.page.getByRole('button', { name: 'Sign in' }).click()
    await ann.page.getByRole('alert').getByText('Wrong address or password.').waitFor()
  })

  it('sign up', async () => {
    await Promise.all([ann.signUp(), ben.signUp()])
    await ann.page.getByRole('link', { name: /Ann Archer/ }).waitFor()
  })

  it('show a picture of themselves, which lies in the bucket and comes back as one', async () => {
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

  it('meet in a room, where the newcomer is greeted by the bot', async () => {
    await ann.page.goto(chat.stack.url)
    await ann.openRoom(room)
    await ben.join(room)
    await ben.sees('Greeter')
    const greeting = ben.page.locator('[data-seq]').filter({ hasText: 'Ben Baker' })
    await greeting.first().waitFor()
    await ann.page.locator('[data-seq]').filter({ hasText: 'Ben Baker' }).first().waitFor()
    expect(await greeting.count()).toBe(1)
  })

  it('got one welcome mail each', async () => {
    await expect
      .poll(() => mailgun.taken.map(({ to }) => to).sort(), { timeout: 60_000 })
      .toEqual([ann.email, ben.email].sort())
  })

  it('talk, and see each other’s words and pictures at once', async () => {
    await ann.write('Hello Ben!')
    await ben.sees('Hello Ben!')
    await ben.write('Hello Ann!')
    await ann.sees('Hello Ann!')
    const line = ben.message('Hello Ben!')
    expect(await line.locator('img').getAttribute('src')).toMatch(/\.webp$/)
  })

  it('see a script as the text it is', async () => {
    const script = '<img src=x onerror=alert(1)><script>alert(2)</script>'
    await ann.write(script)
    await ben.sees(script)
    expect(await ben.message(script).locator('img[src=x], script').count()).toBe(0)
  })

  it('see who is typing', async () => {
    // Longer than the client keeps quiet after it has said so once.
    const typing = ann.composer.pressSequentially('h'.repeat(50), { delay: 200 })
    await ben.page.getByText('Ann Archer is typing…').waitFor()
    await typing
    await ann.composer.fill('')
  })

  it('answer, change and take back what they wrote', async () => {
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

  it('find everything again after a reload', async () => {
    const before = await ben.conversation()
    expect(before.map(({ seq }) => seq)).toEqual(before.map((_, index) => index + 1))
    await Promise.all([ann.page.reload(), ben.page.reload()])
    await ben.sees('Hello Ben!')
    await ann.sees('Hello Ben!')
    expect(await ben.conversation()).toEqual(before)
    expect(await ann.conversation()).toEqual(before)
  })

  it('see how much is new in the rooms they are not looking at', async () => {
    await ben.page.goto(`${chat.stack.url}/profile`)
    await ben.page.goto(chat.stack.url)
    await ben.page.getByRole('link', { name: 'General', exact: true }).click()
    await ben.page.getByRole('heading', { level: 1, name: 'General' }).waitFor()
    await ann.write('Are you there?')
    await ben.page.getByRole('link', { name: `${room} 1 unread` }).click()
    await ben.sees('Are you there?')
    await ben.page.getByRole('link', { name: room, exact: true }).waitFor()
  })

  it('write without a network: what they sent waits, survives a reload, and arrives once and in order', async () => {
    const lines = ['offline one', 'offline two', 'offline three']
    await ann.context.setOffline(true)
    await ann.page.getByText('You are offline.').waitFor()
    for (const line of lines) await ann.write(line)
    await ann.page.getByText('sending…').first().waitFor()
    // The page itself is fetched again, so the network must be back for it; the messages were not sent by the old one.
    await ann.context.setOffline(false)
    await ann.page.reload()
    await ben.sees('offline three')
    await ann.sees('offline three')
    const arrived = (await ben.conversation()).map(({ text }) => text).filter((text) => text.startsWith('offline'))
    expect(arrived).toEqual(lines)
    expect(await ann.page.getByText('sending…').count()).toBe(0)
  })

  it('lose nothing when both replicas are killed and come back', async () => {
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

  it('scroll up through a long history without losing their place', async () => {
    for (let n = 1; n <= 130; n += 1) await ann.write(`line ${n}`)
    await ben.sees('line 130')
    await ben.page.reload()
    await ben.sees('line 130')
    expect(await ben.message('line 1').count()).toBe(0)
    for (;;) {
      const first = ben.page.locator('[data-seq]').first()
      // Looked at in this order: what is not there yet comes before the first that was.
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

describe('every page', () => {
  const chat = useChat()

  for (const [size, viewport] of Object.entries({
    wide: { width: 1280, height: 800 },
    narrow: { width: 390, height: 844 },
  })) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`is accessible, ${size} and ${colorScheme}`, async () => {
        const visitor = await chat.arrive(`Eve ${size} ${colorScheme}`, viewport)
        const { page } = visitor
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        const judge = async (what: string) => {
          expect({ what, problems: await visitor.accessibilityProblems() }).toEqual({ what, problems: [] })
          const overflow = await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          )
          expect({ what, overflow }).toEqual({ what, overflow: 0 })
        }
        await page.goto(`${chat.stack.url}/sign-in`)
        await page.getByLabel('Email').waitFor()
        await judge('sign-in')
        await visitor.signUp()
        await visitor.sees('Then I will stop copying my messages before I press Enter.')
        await judge('the first room')
        await visitor.toRooms()
        await judge('rooms')
        const dialog = await visitor.browse()
        await dialog.getByRole('link', { name: 'Deploys', exact: true }).waitFor()
        await judge('public rooms')
        await dialog.getByLabel('Search by name').fill('Nobody calls a room so')
        await dialog.getByText('No room to join has “Nobody calls a room so” in its name.').waitFor()
        await judge('no public room found')
        await dialog.getByLabel('Search by name').fill('DEPL')
        await dialog.getByRole('status').getByText('1 to join').waitFor()
        await dialog.getByRole('link', { name: 'Deploys', exact: true }).click()
        await visitor.sees('Any 5xx during the rollout?')
        await judge('a room to join')
        await visitor.toRooms()
        await page.getByRole('button', { name: 'New room' }).click()
        await page.getByRole('dialog', { name: 'New room' }).waitFor()
        await judge('new room')
        await page.keyboard.press('Escape')
        await visitor.openRoom(`Quiet ${size} ${colorScheme}`, 'Private')
        await judge('empty room')
        await visitor.write('Hello\nhttps://example.com/ and more')
        await page.locator('[data-seq]').first().waitFor()
        await judge('conversation')
        const members = page.getByRole('button', { name: 'Members', exact: true })
        if ((await members.getAttribute('aria-expanded')) === 'false') await members.click()
        await page.getByRole('button', { name: 'Invite' }).waitFor()
        await judge('members')
        await page.getByRole('button', { name: 'Leave room' }).click()
        await page.getByRole('dialog', { name: /^Leave Quiet/ }).waitFor()
        await judge('leaving')
        await page.keyboard.press('Escape')
        await page.goto(`${chat.stack.url}/profile`)
        await page.getByRole('button', { name: 'Save name' }).waitFor()
        await judge('profile')
        await page.goto(`${chat.stack.url}/mailbox`)
        await page.getByRole('heading', { level: 2, name: /^Welcome/ }).waitFor()
        await judge('mailbox')
        await page.goto(`${chat.stack.url}/rooms/${randomUUID()}`)
        await page.getByText('No such room').waitFor()
        await judge('no such room')
        await visitor.leave()
      })
    }
  }

  it('lets people find a room among many, whatever goes on meanwhile, and join it', async () => {
    await chat.query(
      `insert into rooms (name, kind) select 'Shelf ' || lpad(n::text, 5, '0'), 'public' from generate_series(1, 10000) n`,
    )
    const visitor = await chat.signUp('Moe Many')
    const { page } = visitor
    const ownRooms = () =>
      page.getByRole('navigation', { name: 'Rooms' }).locator('a[href^="/rooms/"]').allTextContents()
    await visitor.openRoom('Desk', 'Private')
    await page.goto(chat.stack.url)
    await page.getByRole('link', { name: 'Desk' }).waitFor()
    const dialog = await visitor.browse()
    const links = dialog.getByRole('link')
    await dialog.getByRole('status').getByText('30+ to join').waitFor()
    await dialog.getByRole('button', { name: 'Show more' }).click()
    await dialog.getByRole('status').getByText('60+ to join').waitFor()
    expect(new Set(await links.allTextContents()).size).toBe(60)
    // The one that was added first has the focus, so that reading goes on there.
    expect(await links.nth(30).evaluate((link) => link === document.activeElement)).toBe(true)

    // What is typed stays when news comes and when the connection breaks and is back.
    const field = dialog.getByLabel('Search by name')
    await field.pressSequentially('shelf 0777')
    await page.context().setOffline(true)
    await page.getByText('You are offline.').waitFor({ state: 'attached' })
    const listed = page.waitForResponse((response) => new URL(response.url()).pathname === '/api/rooms')
    await page.context().setOffline(false)
    expect(((await (await listed).json()) as { rooms: { name: string }[] }).rooms.map((room) => room.name)).toEqual([
      'Desk',
      'General',
    ])
    expect(await field.inputValue()).toBe('shelf 0777')
    await field.press('7')
    await dialog.getByRole('status').getByText('1 to join').waitFor()
    expect(await links.allTextContents()).toEqual(['Shelf 07777'])

    await links.click()
    await dialog.waitFor({ state: 'hidden' })
    expect(await ownRooms()).toEqual(['Desk (private)', 'General'])
    await page.getByRole('button', { name: 'Join room' }).click()
    await visitor.composer.waitFor()
    expect(await ownRooms()).toEqual(['Desk (private)', 'General', 'Shelf 07777'])
    await visitor.browse()
    await field.fill('shelf 07777')
    await dialog.getByText('No room to join has “shelf 07777” in its name.').waitFor()
    await chat.query(`delete from rooms where name like 'Shelf %'`)
    await visitor.leave()
  })

  it('can be used with the keyboard alone', async () => {
    const visitor = await chat.signUp('Kay Keys')
    const { page } = visitor
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press('Tab')
        // Behind the last element comes the page itself, which has all of its text.
        const focused = await page.evaluate(() =>
          document.activeElement === document.body
            ? ''
            : (document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''),
        )
        if (focused.includes(name)) return
      }
      throw new Error(`Tab never reached ${name}`)
    }
    await tabTo('Browse rooms')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Browse rooms' })
    await dialog.waitFor()
    await page.keyboard.type('deploys')
    await dialog.getByRole('status').getByText('1 to join').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Browse rooms')
    await page.keyboard.press('Enter')
    await page.keyboard.type('deploys')
    await dialog.getByRole('status').getByText('1 to join').waitFor()
    await tabTo('Deploys')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Join room' }).waitFor()
    await tabTo('Join room')
    await page.keyboard.press('Enter')
    await visitor.composer.waitFor()
    await page.goto(chat.stack.url)
    await page.getByRole('link', { name: 'Deploys' }).waitFor()
    await tabTo('New room')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'New room' }).waitFor()
    await page.keyboard.type('Keyboard')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Keyboard' }).waitFor()
    await page.keyboard.type('typed without a mouse')
    await page.keyboard.press('Enter')
    await visitor.sees('typed without a mouse')
    await visitor.leave()
  })

  it('comes from nginx with the right headers, and its first load is under 40 KB', async () => {
    const response = await fetch(`${chat.stack.url}/sign-in`)
    const html = await response.text()
    expect(response.headers.get('content-security-policy')).toContain(
      "default-src 'none';script-src 'self';style-src 'self'",
    )
    const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path = '']) => path)
    expect(assets).toHaveLength(2)
    let bytes = 0
    for (const path of assets) {
      const asset = await fetch(chat.stack.url + path, { headers: { 'accept-encoding': 'gzip' } })
      expect(asset.headers.get('server')).toMatch(/^nginx/)
      expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(asset.headers.get('content-encoding')).toBe('gzip')
      bytes += Number(asset.headers.get('content-length'))
    }
    expect(bytes).toBeGreaterThan(5_000)
    expect(bytes).toBeLessThan(40_000)
    const config = await fetch(`${chat.stack.url}/assets/config.json`)
    expect(config.headers.get('cache-control')).toBe('no-cache')
    expect(await config.json()).toEqual({ domain: '', loginUrl: '/sign-in' })
    expect((await fetch(`${chat.stack.url}/metrics`)).status).toBe(404)
  })

  it('compresses assets for whoever takes it, and gives those of another version as well', async () => {
    const html = await (await fetch(`${chat.stack.url}/sign-in`)).text()
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)?.[1] ?? ''
    const plain = await readFile(join(chat.stack.assets, basename(script)), 'utf8')
    const ask = async (encoding: string) => {
      const answer = await fetch(chat.stack.url + script, { headers: { 'accept-encoding': encoding } })
      expect(await answer.text()).toBe(plain)
      const { headers } = answer
      return ['content-encoding', 'content-type', 'cache-control', 'vary', 'x-content-type-options'].map((name) =>
        headers.get(name),
      )
    }
    const forEver = [
      'text/javascript; charset=utf-8',
      'public, max-age=31536000, immutable',
      'Accept-Encoding',
      'nosniff',
    ]
    expect(await ask('gzip, br')).toEqual(['br', ...forEver])
    expect(await ask('gzip, br;q=0')).toEqual(['gzip', ...forEver])
    expect(await ask('identity')).toEqual([null, ...forEver])

    // As if this nginx were of another version.
    for (const end of ['', '.br', '.gz']) await rm(join(chat.stack.assets, basename(script) + end))
    expect(await ask('identity')).toEqual([null, ...forEver])
    expect(await ask('gzip')).toEqual(['gzip', ...forEver])
    expect((await fetch(`${chat.stack.url}/assets/main.00000000000000000000.js`)).status).toBe(404)
  })
})
