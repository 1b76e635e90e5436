import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Room } from '../../apps/server/src/contract.js'
import { until } from './commands.js'
import { ask, Person, type Address } from './people.js'

/** People in one room who post all the time while the cluster changes. */
export class Crowd {
  /** The `seq` of each acknowledged message, by its id. */
  private readonly acknowledged = new Map<string, number>()
  private posting: Promise<void>[] = []
  private going = false

  private constructor(readonly people: Person[]) {}

  static async gather(address: Address, count: number): Promise<Crowd> {
    const people = await Promise.all(
      Array.from({ length: count }, (_, index) => Person.signUp(address, `Person ${index + 1}`)),
    )
    const room = await people[0]!.ask<Room>('POST', '/api/rooms', { name: `Crowd ${Date.now()}`, kind: 'public' })
    for (const person of people) {
      await person.enter(room)
      await person.connect()
    }
    return new Crowd(people)
  }

  start(): void {
    this.going = true
    this.posting = this.people.map((person) => this.keepPosting(person))
  }

  /** Stops after the last message is acknowledged. @returns the errors that were received instead of acknowledgements. */
  async stop(): Promise<string[]> {
    this.going = false
    await Promise.all(this.posting)
    return this.people.flatMap(({ refusals }) => refusals.splice(0)).map(({ code, message }) => `${code}: ${message}`)
  }

  /** Every acknowledged message exists once, with its number, and all people see the same messages in the same order. */
  async seesEverythingOnce(): Promise<void> {
    const history = await until('everybody to see everything', async () => {
      const messages = await this.people[0]!.history()
      expect(this.people.map(({ screen }) => screen.length)).toEqual(this.people.map(() => messages.length))
      return messages
    })
    const ids = history.map(({ id }) => id)
    for (const { screen } of this.people) expect(screen.map(({ id }) => id)).toEqual(ids)
    expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1))
    // An acknowledgement names the id and its number. Besides these messages there are only the greeter's.
    const written = history.filter(({ author }) => author.name !== 'Greeter').map(({ id, seq }) => [id, seq] as const)
    expect(written.length).toBe(this.acknowledged.size)
    expect(new Map(written)).toEqual(this.acknowledged)
  }

  leave(): void {
    this.going = false
    for (const person of this.people) person.leave()
  }

  private async keepPosting(person: Person): Promise<void> {
    for (let count = 1; this.going; count += 1) {
      const { id, seq } = await person.post(`${person.name} says ${count}`)
      this.acknowledged.set(id, seq)
      await sleep(250)
    }
  }
}

/** A visitor who loads the page with all its assets and calls the API, again and again. */
export class PageLoader {
  /** Wrong answers. */
  readonly faults: string[] = []
  /** The different pages so far: each release has other names of assets. */
  readonly pages = new Map<string, string[]>()
  private loading: Promise<void> | undefined
  private going = false

  constructor(
    readonly address: Address,
    readonly person: Person,
  ) {}

  start(): void {
    this.going = true
    this.loading = this.keepLoading()
  }

  /** @returns the faults. */
  async stop(): Promise<string[]> {
    this.going = false
    await this.loading
    return this.faults.splice(0)
  }

  /** Loads the page, then its assets and those of all earlier pages, which may still be open, then the first calls of a page. */
  async load(): Promise<void> {
    const page = await this.expectOk('/')
    const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '')
    if (assets.length < 3) this.faults.push(`a page with ${assets.length} assets`)
    this.pages.set(assets.join(' '), assets)
    for (const path of new Set([...this.pages.values()].flat())) await this.expectOk(path)
    await this.expectOk('/assets/config.json')
    await this.person.ask('GET', '/api/me').catch((error: unknown) => this.faults.push(String(error)))
  }

  private async keepLoading(): Promise<void> {
    while (this.going) {
      await this.load()
      await sleep(100)
    }
  }

  private async expectOk(path: string): Promise<string> {
    try {
      const { status, body } = await ask(this.address, path)
      if (status !== 200 || body.length === 0)
        this.faults.push(`${path} was answered ${status} with ${body.length} bytes`)
      return body.toString()
    } catch (error) {
      this.faults.push(`${path} was not answered: ${String(error)}`)
      return ''
    }
  }
}
