import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { newPerson, password, startChat, type Chat, type Person } from '../test/chat.js'

describe('many password checks at once', () => {
  let chat: Chat
  let ben: Person
  beforeAll(async () => {
    chat = await startChat({ TRUSTED_PROXIES: '1' })
    ben = await newPerson(chat.url, 'Ben')
  })
  afterAll(() => chat.stop())

  const signIn = (credentials: object, from: string, signal?: AbortSignal) =>
    fetch(`${chat.url}/api/session`, {
      method: 'POST',
      headers: { origin: chat.url, 'content-type': 'application/json', 'x-forwarded-for': from },
      body: JSON.stringify(credentials),
      signal: signal ?? null,
    })

  it.each([
    [
      'sign-ins with unknown email addresses',
      (index: number, signal: AbortSignal) =>
        signIn({ email: `nobody-${index}@example.com`, password }, '203.0.113.7', signal),
    ],
    [
      'guesses of a current password',
      (_index: number, signal: AbortSignal) =>
        fetch(`${chat.url}/api/me`, {
          method: 'PATCH',
          headers: {
            origin: chat.url,
            cookie: ben.cookie,
            'content-type': 'application/json',
            'x-forwarded-for': '203.0.113.7',
          },
          body: JSON.stringify({ password: 'another fine phrase', currentPassword: 'a guess' }),
          signal,
        }),
    ],
  ])(
    '%s: some are refused at once, and a client at another IP address does not wait for them',
    async (_who, ask) => {
      const leaving = new AbortController()
      let looked = 0
      const refused: (string | null)[] = []
      const crowd = Array.from({ length: 70 }, async (_, index) => {
        const { status, headers } = await ask(index, leaving.signal)
        if (status === 503) refused.push(headers.get('retry-after'))
        else looked += 1
      })
      // The first refusal shows that the queue is full.
      await vi.waitFor(() => expect(refused).not.toEqual([]), { timeout: 60_000 })
      const before = looked
      expect((await signIn({ email: ben.account.email, password }, '198.51.100.9')).status).toBe(201)
      expect(looked - before).toBeLessThan(20)
      expect(Number(refused[0])).toBeGreaterThan(0)

      // The queue drops the requests of clients that have gone, so the next request is served first.
      leaving.abort()
      await Promise.allSettled(crowd)
      const last = looked
      expect((await signIn({ email: ben.account.email, password }, '203.0.113.7')).status).toBe(201)
      expect(looked).toBe(last)
    },
    120_000,
  )
})
