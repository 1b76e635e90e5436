import { beforeAll, describe, expect, it } from 'vitest'
import type { Visitor } from './browser.js'
import { useChat } from './use-chat.js'

describe('a long history', () => {
  const chat = useChat({ replicas: 2 })
  let ann: Visitor
  let ben: Visitor
  beforeAll(async () => {
    ;[ann, ben] = await Promise.all([chat.signUp('Ann Archer'), chat.signUp('Ben Baker')])
  })

  /** Creates a room of both with `count` messages, `line 2` and so on by Ann. Returns its path. */
  async function createRoom(name: string, count: number): Promise<string> {
    await ann.createRoom(name)
    await ben.join(name)
    const path = new URL(ben.page.url()).pathname
    await ben.sees('Welcome, Ben Baker!')
    await chat.query(
      `with room as (update rooms set head = $3 where id = $1 returning *)
       insert into messages (room_id, seq, id, author_id, body)
       select room.id, n, gen_random_uuid(), (select id from accounts where email = $2), 'line ' || n
         from room, generate_series(2, $3::bigint) n`,
      [path.split('/')[2], ann.email, count],
    )
    return path
  }
  const inPage = ({ page }: Visitor) => page.locator('[data-seq]').count()
  const isOnScreen = (visitor: Visitor, text: string) =>
    visitor
      .message(text)
      .first()
      .evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect()
        const box = element.closest('.scroller')!.getBoundingClientRect()
        return top >= box.top && bottom <= box.bottom
      })

  it('shows no text that was deleted during an interruption, neither in the message nor in a quote', async () => {
    const path = await createRoom('Attic', 200)
    await ben.page.goto(`${chat.stack.url}${path}/110`)
    await ben.sees('line 110')
    const message = ben.message('line 110').first()
    await message.hover()
    await message.getByRole('button', { name: 'Reply' }).click()
    await ben.write('That is no secret any more.')
    await ben.sees('That is no secret any more.')
    await ben.page.getByRole('button', { name: /In reply to.*line 110/ }).click()
    await ben.sees('line 110')
    await ben.page.context().setOffline(true)
    await ben.page.getByText('You are offline.').waitFor()

    await ann.page.goto(`${chat.stack.url}${path}/110`)
    await ann.sees('line 110')
    await ann.message('line 110').first().hover()
    await ann.message('line 110').first().getByRole('button', { name: 'Delete' }).click()
    await ann.page.getByRole('dialog').getByRole('button', { name: 'Delete message' }).click()
    await ann.page.locator('[data-seq="110"]').getByText('This message was deleted.').waitFor()
    expect(await ben.page.locator('[data-seq="110"]').getByText('line 110').count()).toBe(1)

    await ben.page.context().setOffline(false)
    await ben.page.locator('[data-seq="110"]').getByText('This message was deleted.').waitFor()
    await ben.page.getByRole('button', { name: /Newest messages|new message/ }).click()
    await ben.page.getByRole('button', { name: /In reply to.*a deleted message/ }).waitFor()
  })

  it('can be opened at any message at once, with few messages in the page', async () => {
    const path = await createRoom('Archive', 20_000)
    // On the newest page, but not on the first screen.
    await ben.page.goto(`${chat.stack.url}${path}/19960`)
    await ben.page.locator('.message--highlighted').getByText('line 19960').waitFor()
    await ben.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    expect(await isOnScreen(ben, 'line 19960')).toBe(true)
    const asked: string[] = []
    ben.page.on('request', (request) => {
      if (/\/messages\?/.test(request.url())) asked.push(request.url())
    })
    await ben.page.goto(`${chat.stack.url}${path}/9000`)
    await ben.sees('line 9000')
    await expect.poll(() => isOnScreen(ben, 'line 9000')).toBe(true)
    expect(asked.length).toBeLessThanOrEqual(2)
    expect(await inPage(ben)).toBeLessThanOrEqual(150)

    // The time of a message links to the message.
    const time = ben.message('line 9001').first().locator('a.time')
    expect(await time.getAttribute('href')).toBe(`${path}/9001`)

    asked.length = 0
    await ben.page.getByRole('button', { name: /Newest messages|new message/ }).click()
    await ben.sees('line 20000')
    await expect.poll(() => isOnScreen(ben, 'line 20000')).toBe(true)
    expect(asked.length).toBeLessThanOrEqual(2)
    expect(new URL(ben.page.url()).pathname).toBe(path)
    await ann.write('Does anybody read this?')
    await ben.sees('Does anybody read this?')
  })

  /** Scrolls by each of `steps`, in pixels. `jumps` are the movements of the text that the reader has not made. */
  const scroll = ({ page }: Visitor, steps: number[]) =>
    page.evaluate(async (steps) => {
      const box = document.querySelector('.scroller')!
      const middle = () => {
        const line = box.getBoundingClientRect().top + box.clientHeight / 2
        return [...box.querySelectorAll<HTMLElement>('[data-seq] .body')].find(
          (element) => element.getBoundingClientRect().bottom > line,
        )!
      }
      const seqOf = (element: HTMLElement) => element.closest<HTMLElement>('[data-seq]')!.dataset.seq!
      const seen = { jumps: [] as number[], most: 0, seqs: [] as number[] }
      for (const step of steps) {
        const before = middle()
        const seq = seqOf(before)
        const top = before.getBoundingClientRect().top
        const wanted = box.scrollTop + step
        box.scrollTop = wanted
        const moved = step - (wanted - box.scrollTop)
        for (let n = 0; n < 3; n += 1) await new Promise(requestAnimationFrame)
        const after = box.querySelector(`[data-seq="${seq}"] .body`)
        const jump = after === null ? Infinity : Math.round(top - moved - after.getBoundingClientRect().top)
        if (Math.abs(jump) > 2) seen.jumps.push(jump)
        seen.most = Math.max(seen.most, box.querySelectorAll('[data-seq]').length)
        seen.seqs.push(Number(seqOf(middle())))
      }
      return seen
    }, steps)
  const upAndDown = (count: number, pixels: number) =>
    [-pixels, pixels].flatMap((step) => new Array<number>(count).fill(step))

  it('does not jump while a reader scrolls up and down', async () => {
    const scrolled = await scroll(ben, upAndDown(120, 150))
    expect(scrolled.jumps).toEqual([])
    expect(scrolled.most).toBeLessThanOrEqual(150)
    expect(Math.min(...scrolled.seqs)).toBeLessThan(19_700)
    expect(scrolled.seqs.at(-1)).toBeGreaterThan(19_950)
  })

  it('does not jump when a reader has reached the upper end before older messages arrive', async () => {
    await createRoom('Slow', 300)
    await ben.page.reload()
    await ben.sees('line 300')
    await ben.page.route(/\/messages\?/, async (route) => {
      await ben.page.waitForFunction(() => document.querySelector('.scroller')!.scrollTop === 0)
      await route.continue()
    })
    const { jumps, seqs } = await scroll(ben, new Array<number>(90).fill(-300))
    await ben.page.unroute(/\/messages\?/)
    expect(jumps).toEqual([])
    expect(Math.min(...seqs)).toBeLessThan(100)
  })

  it('does not jump where messages differ in height', async () => {
    const path = await createRoom('Poems', 400)
    await chat.query(
      `update messages set body = body || repeat(E'\nand one more line', 9) where room_id = $1 and seq % 100 >= 50`,
      [path.split('/')[2]],
    )
    await ben.page.reload()
    await ben.sees('line 400')
    const { jumps } = await scroll(ben, upAndDown(60, 300))
    expect(jumps).toEqual([])
  })

  it('lets a reader stop a little above the newest message, and shows the next one', async () => {
    await ben.page.getByRole('button', { name: /Newest messages|new message/ }).click()
    await expect.poll(() => isOnScreen(ben, 'line 400')).toBe(true)
    const { jumps } = await scroll(ben, [-300, 270])
    expect(jumps).toEqual([])
    await ann.write('Is this the end?')
    await ben.sees('Is this the end?')
    await expect.poll(() => isOnScreen(ben, 'Is this the end?')).toBe(true)
  })

  it('is read up to its end after Esc, wherever the focus is', async () => {
    await scroll(ben, [-600])
    await ann.write('Read me')
    await ben.page.getByRole('link', { name: 'Poems 1 unread' }).waitFor()
    await ben.page.getByRole('heading', { level: 1, name: 'Poems' }).click()
    await ben.page.keyboard.press('Escape')
    await ben.page.getByRole('link', { name: 'Poems', exact: true }).waitFor()
    await expect.poll(() => isOnScreen(ben, 'Read me')).toBe(true)
  })
})
