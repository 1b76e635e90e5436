import type { Browser } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../../tools/test/stack.js'
import { launchBrowser, Visitor } from './browser.js'

/** Two server replicas: what one of them is told, those who are connected to the other see. */
describe('without a reload, people see', () => {
  let stack: Stack
  let browser: Browser
  let ann: Visitor
  let ben: Visitor
  beforeAll(async () => {
    ;[stack, browser] = await Promise.all([startStack({ replicas: 2 }), launchBrowser()])
    ann = await Visitor.arrive(browser, stack.url, 'Ann Archer')
    ben = await Visitor.arrive(browser, stack.url, 'Ben Baker')
    await Promise.all([ann.signUp(), ben.signUp()])
  })
  afterAll(async () => {
    await browser.close()
    await stack.stop()
  })

  const rooms = ({ page }: Visitor) => page.getByRole('navigation', { name: 'Rooms' })
  const members = ({ page }: Visitor) => page.getByRole('complementary', { name: 'Members' }).getByRole('listitem')

  it('a new public room where they browse, with what they have typed', async () => {
    const dialog = await ben.browse()
    await dialog.getByLabel('Search by name').fill('gard')
    await dialog.getByText('No room to join has “gard” in its name.').waitFor()
    await ann.openRoom('Garden')
    await dialog.getByRole('link', { name: 'Garden' }).waitFor()
    expect(await dialog.getByLabel('Search by name').inputValue()).toBe('gard')
    await dialog.getByRole('button', { name: 'Close' }).click()
  })

  it('who comes into a room and who leaves it', async () => {
    await members(ann).filter({ hasText: 'Ann Archer' }).waitFor()
    await ben.join('Garden')
    await members(ann).filter({ hasText: 'Ben Baker online' }).waitFor()
    // The bot that greets him is one of them.
    await members(ann).filter({ hasText: 'Greeter' }).waitFor()
    const cleo = await Visitor.arrive(browser, stack.url, 'Cleo Clay')
    await cleo.signUp()
    await cleo.join('Garden')
    for (const person of [ann, ben]) await members(person).filter({ hasText: 'Cleo Clay' }).waitFor()
    await cleo.leaveRoom()
    for (const person of [ann, ben]) await members(person).filter({ hasText: 'Cleo Clay' }).waitFor({ state: 'detached' })
    await cleo.leave()
  })

  it('the room that they open or leave in another tab', async () => {
    const second = await ann.context.newPage()
    await second.goto(ann.page.url())
    await second.getByRole('heading', { level: 1, name: 'Garden' }).waitFor()
    await ann.openRoom('Shed', 'Private')
    const shed = second.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: 'Shed' })
    await shed.waitFor()
    await ann.leaveRoom()
    await shed.waitFor({ state: 'detached' })
    await second.close()
    await rooms(ann).getByRole('link', { name: 'Garden' }).click()
  })

  it('the new name and picture of somebody, in the list and in what was said before', async () => {
    await ann.write('Who waters the roses?')
    await ben.sees('Who waters the roses?')
    const second = await ann.context.newPage()
    await second.goto(`${stack.url}/profile`)
    await second.getByLabel('Name').fill('Anna Archer')
    await second.getByRole('button', { name: 'Save name' }).click()
    const roses = ben.message('Who waters the roses?')
    await roses.getByText('Anna Archer', { exact: true }).waitFor()
    await members(ben).filter({ hasText: 'Anna Archer' }).waitFor()
    await rooms(ann).getByRole('link', { name: /Anna Archer/ }).waitFor()
    const buffer = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#33aa55' } }).png().toBuffer()
    await second.getByLabel('Avatar').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer })
    await second.getByRole('button', { name: 'Save picture' }).click()
    await roses.locator('img').waitFor()
    await members(ben).filter({ hasText: 'Anna Archer' }).locator('img').waitFor()
    await rooms(ann).locator('img').waitFor()
    await second.close()
  })

  it('and no error on any page', async () => {
    await ann.leave()
    await ben.leave()
  })
})
