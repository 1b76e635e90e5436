import pg from 'pg'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { startStack, type Stack } from '../../tools/test/stack.js'
import { launchBrowser, Visitor } from './browser.js'

interface ChatOptions {
  replicas?: number
  /** Variables of the servers and the worker, read when the chat starts. */
  env?: () => NodeJS.ProcessEnv
}

/**
 * The chat and a browser for the tests of a `describe`. It starts before them and stops after them. Afterwards no
 * visitor may have seen an error on a page.
 */
export function useChat({ replicas = 1, env = () => ({}) }: ChatOptions = {}) {
  let stack: Stack
  let browser: Browser
  const visitors: Visitor[] = []

  beforeAll(async () => {
    ;[stack, browser] = await Promise.all([startStack({ replicas, env: env() }), launchBrowser()])
  })
  afterAll(async () => {
    const faults = visitors.flatMap((visitor) => visitor.faults.map((fault) => `${visitor.name}: ${fault}`))
    await browser.close()
    await stack.stop()
    expect(faults).toEqual([])
  })

  /** Opens a page for a person who has no account yet. `size` is the size of the window in pixels. */
  async function arrive(name: string, size?: { width: number; height: number }): Promise<Visitor> {
    const visitor = await Visitor.arrive(browser, stack.url, name, size)
    visitors.push(visitor)
    return visitor
  }

  return {
    get stack() {
      return stack
    },
    arrive,
    /** Opens a page for a person and signs them up. */
    async signUp(name: string): Promise<Visitor> {
      const visitor = await arrive(name)
      await visitor.signUp()
      return visitor
    },
    /** Runs one statement in the database of the chat. Returns its rows. */
    async query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
      const db = new pg.Client({ connectionString: stack.databaseUrl })
      await db.connect()
      try {
        return (await db.query<Row>(sql, values)).rows
      } finally {
        await db.end()
      }
    },
  }
}
