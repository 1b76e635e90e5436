import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useChat } from './use-chat.js'

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
        await dialog.getByLabel('Search by name').fill('No such name')
        await dialog.getByText('No other rooms match “No such name”.').waitFor()
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
        await visitor.createRoom(`Quiet ${size} ${colorScheme}`, 'Private')
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

  it('lets people find a room among many and join it, also while events arrive', async () => {
    await chat.query(
      `insert into rooms (name, kind) select 'Shelf ' || lpad(n::text, 5, '0'), 'public' from generate_series(1, 10000) n`,
    )
    const visitor = await chat.signUp('Moe Many')
    const { page } = visitor
    const ownRooms = () =>
      page.getByRole('navigation', { name: 'Rooms' }).locator('a[href^="/rooms/"]').allTextContents()
    await visitor.createRoom('Desk', 'Private')
    await page.goto(chat.stack.url)
    await page.getByRole('link', { name: 'Desk' }).waitFor()
    const dialog = await visitor.browse()
    const links = dialog.getByRole('link')
    await dialog.getByRole('status').getByText('30+ to join').waitFor()
    await dialog.getByRole('button', { name: 'Show more' }).click()
    await dialog.getByRole('status').getByText('60+ to join').waitFor()
    expect(new Set(await links.allTextContents()).size).toBe(60)
    // The first added room has the focus.
    expect(await links.nth(30).evaluate((link) => link === document.activeElement)).toBe(true)

    // The typed text stays while events arrive and the connection breaks and comes back.
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
    await dialog.getByText('No other rooms match “shelf 07777”.').waitFor()
    await chat.query(`delete from rooms where name like 'Shelf %'`)
    await visitor.leave()
  })

  it('can be used with the keyboard alone', async () => {
    const visitor = await chat.signUp('Kay Keys')
    const { page } = visitor
    const tabTo = async (name: string) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press('Tab')
        // After the last element, the focus is on the body, which contains all the text.
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

  it('is served by nginx with the right headers, with a first load of less than 45,000 bytes', async () => {
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
    expect(bytes).toBeLessThan(45_000)
    const config = await fetch(`${chat.stack.url}/assets/config.json`)
    expect(config.headers.get('cache-control')).toBe('no-cache')
    expect(await config.json()).toEqual({ domain: '', loginUrl: '/sign-in' })
    expect((await fetch(`${chat.stack.url}/metrics`)).status).toBe(404)
  })

  it('has assets in the encoding that the browser accepts, also those of other versions', async () => {
    const html = await (await fetch(`${chat.stack.url}/sign-in`)).text()
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)?.[1] ?? ''
    const plain = await readFile(join(chat.stack.assets, basename(script)), 'utf8')
    const ask = async (encoding: string) => {
      const answer = await fetch(chat.stack.url + script, { headers: { 'accept-encoding': encoding } })
      expect(await answer.text()).toBe(plain)
      const { headers } = answer
      return ['content-encoding', 'content-type', 'cache-control', 'vary', 'x-content-type-options'].map((name) =>
        headers.get(name)?.toLowerCase(),
      )
    }
    const forEver = [
      'text/javascript; charset=utf-8',
      'public, max-age=31536000, immutable',
      'accept-encoding',
      'nosniff',
    ]
    expect(await ask('gzip, br')).toEqual(['br', ...forEver])
    expect(await ask('gzip, br;q=0')).toEqual(['gzip', ...forEver])
    expect(await ask('identity')).toEqual([undefined, ...forEver])

    // As if this nginx had another version.
    for (const end of ['', '.br', '.gz']) await rm(join(chat.stack.assets, basename(script) + end))
    expect(await ask('identity')).toEqual([undefined, ...forEver])
    expect(await ask('gzip')).toEqual(['gzip', ...forEver])
    expect((await fetch(`${chat.stack.url}/assets/main.00000000000000000000.js`)).status).toBe(404)
  })
})
