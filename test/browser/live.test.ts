import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { password, type Visitor } from './browser.js'
import { useChat } from './use-chat.js'

/** Two server replicas: people on one of them see the changes made on the other. */
describe('without a reload, people see', () => {
  const chat = useChat({ replicas: 2 })
  let ann: Visitor
  let ben: Visitor
  beforeAll(async () => {
    ;[ann, ben] = await Promise.all([chat.signUp('Ann Archer'), chat.signUp('Ben Baker')])
  })

  const rooms = ({ page }: Visitor) => page.getByRole('navigation', { name: 'Rooms' })
  const members = ({ page }: Visitor) => page.getByRole('complementary', { name: 'Members' }).getByRole('listitem')

  it('a new public room in the dialog, which keeps the typed text', async () => {
    const dialog = await ben.browse()
    await dialog.getByLabel('Search by name').fill('gard')
    await dialog.getByText('No other rooms match “gard”.').waitFor()
    await ann.createRoom('Garden')
    await dialog.getByRole('link', { name: 'Garden' }).waitFor()
    expect(await dialog.getByLabel('Search by name').inputValue()).toBe('gard')
    await dialog.getByRole('button', { name: 'Close' }).click()
  })

  it('who joins and who leaves a room', async () => {
    await members(ann).filter({ hasText: 'Ann Archer' }).waitFor()
    await ben.join('Garden')
    await members(ann).filter({ hasText: 'Ben Baker online' }).waitFor()
    // The bot that greets newcomers is a member, too.
    await members(ann).filter({ hasText: 'Greeter' }).waitFor()
    const cleo = await chat.signUp('Cleo Clay')
    await cleo.join('Garden')
    for (const person of [ann, ben]) await members(person).filter({ hasText: 'Cleo Clay' }).waitFor()
    await cleo.leaveRoom()
    for (const person of [ann, ben])
      await members(person).filter({ hasText: 'Cleo Clay' }).waitFor({ state: 'detached' })
    await cleo.leave()
  })

  it('the room that they create or leave in another tab', async () => {
    const second = await ann.context.newPage()
    await second.goto(ann.page.url())
    await second.getByRole('heading', { level: 1, name: 'Garden' }).waitFor()
    await ann.createRoom('Shed', 'Private')
    const shed = second.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: 'Shed' })
    await shed.waitFor()
    await ann.leaveRoom()
    await shed.waitFor({ state: 'detached' })
    await second.close()
    await rooms(ann).getByRole('link', { name: 'Garden' }).click()
  })

  it('a new name and avatar of a person, in the list and in older messages', async () => {
    await ann.write('Who waters the roses?')
    await ben.sees('Who waters the roses?')
    const elsewhere = ann.context.request
    const headers = { origin: chat.stack.url }
    await elsewhere.patch(`${chat.stack.url}/api/me`, { headers, data: { name: 'Anna Archer' } })
    const roses = ben.message('Who waters the roses?')
    await roses.getByText('Anna Archer', { exact: true }).waitFor()
    await members(ben).filter({ hasText: 'Anna Archer' }).waitFor()
    await rooms(ann)
      .getByRole('link', { name: /Anna Archer/ })
      .waitFor()
    const buffer = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#33aa55' } })
      .png()
      .toBuffer()
    await elsewhere.put(`${chat.stack.url}/api/me/avatar`, {
      headers: { ...headers, 'content-type': 'image/png' },
      data: buffer,
    })
    await roses.locator('img').waitFor()
    await members(ben).filter({ hasText: 'Anna Archer' }).locator('img').waitFor()
    await rooms(ann).locator('img').waitFor()
  })
})

describe('people who open the chat', () => {
  const chat = useChat()
  let ann: Visitor
  let ben: Visitor
  beforeAll(async () => {
    ann = await chat.signUp('Ann Archer')
    ben = await chat.arrive('Ben Baker')
  })

  const heading = ({ page }: Visitor, name: string) =>
    page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
  const newLine = ({ page }: Visitor) => page.locator('.unread')

  it('are in the room General, see its messages, and can write at once', async () => {
    await ann.sees('Then I will stop copying my messages before I press Enter.')
    expect(await newLine(ann).count()).toBe(0)
    await ann.page.keyboard.type('Hello, I am new here.')
    await ann.page.keyboard.press('Enter')
    await ann.sees('Hello, I am new here.')
  })

  it('see no greeting of another person as unread, and no line “New” while they read', async () => {
    await ann.createRoom('Garden')
    await ben.signUp()
    await ben.join('Garden')
    await ann.sees('Welcome, Ben Baker!')
    await ben.write('Nice roses.')
    await ann.sees('Nice roses.')
    expect(await newLine(ann).count()).toBe(0)
    await ann.page.getByRole('link', { name: 'General', exact: true }).click()
    await heading(ann, 'General')
    const cleo = await chat.signUp('Cleo Clay')
    await cleo.join('Garden')
    await cleo.sees('Welcome, Cleo Clay!')
    await cleo.write('Which sort are they?')
    // The greeting came first, but only one message is unread.
    await ann.page.getByRole('link', { name: 'Garden 1 unread' }).click()
    await ann.sees('Which sort are they?')
    expect(await newLine(ann).count()).toBe(1)
    expect(await newLine(ann).evaluate((line) => line.nextElementSibling?.textContent)).toContain(
      'Which sort are they?',
    )
    await cleo.leave()
  })

  it('return to the last open room', async () => {
    await ann.page.goto(chat.stack.url)
    await heading(ann, 'Garden')
    await ann.page.getByRole('button', { name: 'Sign out' }).click()
    await ann.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
    await heading(ann, 'Sign in')
    await ann.page.getByLabel('Email').fill(ann.email)
    await ann.page.getByLabel('Password').fill(password)
    await ann.page.getByRole('button', { name: 'Sign in' }).click()
    await heading(ann, 'Garden')
  })

  it('see the room General first on a new device, also when they have direct conversations', async () => {
    const anna = await chat.arrive('Anna Petrova')
    await anna.page.goto(chat.stack.url)
    await anna.page.getByLabel('Email').fill('anna@example.com')
    await anna.page.getByLabel('Password').fill('anna loves helm')
    await anna.page.getByRole('button', { name: 'Sign in' }).click()
    await anna.page.getByRole('link', { name: 'Boris Lind' }).first().waitFor()
    await heading(anna, 'General')
    await anna.leave()
  })

  it('read a public room and its new messages before they join it', async () => {
    await ben.page.getByRole('link', { name: 'Garden', exact: true }).click()
    await ben.leaveRoom()
    const { page } = ben
    const dialog = await ben.browse()
    await dialog.getByRole('link', { name: 'Garden', exact: true }).click()
    await ben.sees('Which sort are they?')
    expect([await newLine(ben).count(), await ben.composer.count()]).toEqual([0, 0])
    await ann.write('Old ones, from my aunt.')
    await ben.sees('Old ones, from my aunt.')
    await ann.message('Old ones, from my aunt.').hover()
    await ann.message('Old ones, from my aunt.').getByRole('button', { name: 'Delete' }).click()
    await ann.page.getByRole('dialog').getByRole('button', { name: 'Delete message' }).click()
    await ben.page.locator('[data-seq]').getByText('This message was deleted.').waitFor()
    await page.getByRole('button', { name: 'Join room' }).click()
    await ben.composer.waitFor()
    await ben.write('They smell of summer.')
    await ann.sees('They smell of summer.')
  })

  it('see which pictures are allowed, and keep their avatar after an error', async () => {
    await ann.chooseAvatar(
      await sharp({ create: { width: 64, height: 64, channels: 3, background: '#3355aa' } })
        .png()
        .toBuffer(),
    )
    const picture = ann.page.locator('.profile-who img')
    const before = await picture.getAttribute('src')
    // The browser refuses the first file by its type, the server refuses the second one by its content.
    for (const [mimeType, sentence] of [
      ['image/gif', 'Choose a JPEG, PNG or WebP picture of up to 5 MB.'],
      ['image/png', 'This is not a JPEG, PNG or WebP picture'],
    ] as const) {
      await ann.page.getByLabel('Avatar').setInputFiles({ name: 'me', mimeType, buffer: Buffer.from('GIF89a') })
      await ann.page.getByRole('button', { name: 'Save picture' }).click()
      await ann.page.getByRole('alert').getByText(sentence).waitFor()
      expect([await picture.getAttribute('src'), await ann.page.getByLabel('Avatar').inputValue()]).toEqual([
        before,
        '',
      ])
    }
    await ann.page.goto(chat.stack.url)
    await heading(ann, 'Garden')
  })

  it('confirm before they leave a room, and can stay', async () => {
    await ben.page.getByRole('button', { name: 'Leave room' }).click()
    await ben.page.getByRole('dialog', { name: 'Leave Garden?' }).getByRole('button', { name: 'Cancel' }).click()
    await ben.write('Still here.')
    await ann.sees('Still here.')
  })
})
