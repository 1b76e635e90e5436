import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core'
import { expect } from 'vitest'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Starts headless Chromium from TEST_CHROMIUM, without its background requests. `more` are further arguments. */
export function launchBrowser(...more: string[]): Promise<Browser> {
  const executablePath = process.env.TEST_CHROMIUM
  if (executablePath === undefined) throw new Error('TEST_CHROMIUM is missing: run the browser tests through npm test')
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  })
}

export const password = 'correct horse battery'

/** A person with a browser context of their own. Records every error on the page in `faults`. */
export class Visitor {
  readonly faults: string[] = []

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    readonly url: string,
    readonly name: string,
    readonly email: string,
  ) {
    page.on('pageerror', (error) => this.faults.push(error.message))
    page.on('console', (message) => {
      // Tests cause network errors on purpose. Other errors, such as a violated policy, are faults.
      if (
        message.type() === 'error' &&
        !message.text().startsWith('Failed to load resource') &&
        !message.text().includes('WebSocket')
      )
        this.faults.push(message.text())
    })
    page.on('dialog', (dialog) => this.faults.push(`dialog: ${dialog.message()}`))
  }

  static async arrive(
    browser: Browser,
    url: string,
    name: string,
    size = { width: 1280, height: 800 },
  ): Promise<Visitor> {
    const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce' })
    context.setDefaultTimeout(60_000)
    const email = `${name.toLowerCase().replaceAll(/\W/g, '')}-${Date.now().toString(36)}@example.com`
    return new Visitor(context, await context.newPage(), url, name, email)
  }

  /** The field in which messages are written. */
  get composer(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true })
  }

  async signUp(): Promise<void> {
    await this.page.goto(`${this.url}/sign-up`)
    await this.page.getByLabel('Name').fill(this.name)
    await this.page.getByLabel('Email').fill(this.email)
    await this.page.getByLabel('Password').fill(password)
    await this.page.getByRole('button', { name: 'Create account' }).click()
    await this.page.getByRole('heading', { level: 1, name: 'General' }).waitFor()
  }

  /** Opens the profile and saves a picture, a PNG file. */
  async chooseAvatar(picture: Buffer): Promise<void> {
    await this.page.goto(`${this.url}/profile`)
    await this.page.getByLabel('Avatar').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: picture })
    await this.page.getByRole('button', { name: 'Save picture' }).click()
    await this.page.getByText('Picture saved.').waitFor()
  }

  /** Creates a room and opens it. */
  async createRoom(name: string, kind: 'Public' | 'Private' = 'Public'): Promise<void> {
    await this.toRooms()
    await this.page.getByRole('button', { name: 'New room' }).click()
    const dialog = this.page.getByRole('dialog', { name: 'New room' })
    await dialog.getByLabel('Name').fill(name)
    await dialog.getByRole('radio', { name: kind }).check()
    await dialog.getByRole('button', { name: 'Create room' }).click()
    await this.page.getByRole('heading', { level: 1, name }).waitFor()
  }

  /** Goes to the list of rooms, which a narrow window shows instead of the open room. */
  async toRooms(): Promise<void> {
    const back = this.page.getByRole('link', { name: 'Back to rooms' })
    if (await back.isVisible()) await back.click()
    await this.page.getByRole('navigation', { name: 'Rooms' }).waitFor()
  }

  /** Loads the page again, which opens the last room, and goes from there to the list of rooms. */
  async comeBack(): Promise<void> {
    await this.page.goto(this.url)
    await this.page.waitForURL(/\/rooms\//)
    await this.toRooms()
  }

  /** Opens the dialog to browse rooms, and waits for the first page. */
  async browse(): Promise<Locator> {
    await this.page.getByRole('button', { name: 'Browse rooms' }).click()
    const dialog = this.page.getByRole('dialog', { name: 'Browse rooms' })
    await dialog.getByRole('status').filter({ hasText: /./ }).waitFor()
    return dialog
  }

  /** Finds a public room by its name and joins it. */
  async join(name: string): Promise<void> {
    await this.comeBack()
    const dialog = await this.browse()
    await dialog.getByLabel('Search by name').fill(name)
    await dialog.getByRole('link', { name, exact: true }).click()
    await this.page.getByRole('button', { name: 'Join room' }).click()
    await this.composer.waitFor()
  }

  /** Leaves the open room. */
  async leaveRoom(): Promise<void> {
    await this.page.getByRole('button', { name: 'Leave room' }).click()
    await this.page
      .getByRole('dialog', { name: /^Leave / })
      .getByRole('button', { name: 'Leave' })
      .click()
    await this.composer.waitFor({ state: 'hidden' })
  }

  async write(text: string): Promise<void> {
    await this.composer.fill(text)
    await this.composer.press('Enter')
  }

  /** Waits until the conversation shows a stored message with this text. */
  async sees(text: string): Promise<void> {
    await this.message(text).first().waitFor()
  }

  message(text: string) {
    return this.page.locator('[data-seq]').filter({ has: this.page.getByText(text, { exact: true }) })
  }

  /** The stored messages on the page: `seq` and text, from the first to the last. */
  async conversation(): Promise<{ seq: number; text: string }[]> {
    return this.page.locator('[data-seq]').evaluateAll((items) =>
      items.map((item) => ({
        seq: Number(item.getAttribute('data-seq')),
        text: item.querySelector('.body')?.textContent ?? '',
      })),
    )
  }

  /** The accessibility problems that axe finds on the page. */
  async accessibilityProblems(): Promise<string[]> {
    await this.page.evaluate(axe)
    const { violations } = await this.page.evaluate<{
      violations: { id: string; help: string; nodes: { html: string }[] }[]
    }>('axe.run(document, { resultTypes: ["violations"] })')
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html }) => `    ${html}`).join('\n')}`,
    )
  }

  /** Closes the page. No error may have occurred on it. */
  async leave(): Promise<void> {
    await this.context.close()
    expect(this.faults).toEqual([])
  }
}
