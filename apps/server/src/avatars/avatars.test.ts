import { randomUUID } from 'node:crypto'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Account, ErrorBody } from '../contract.js'
import { newPerson, startChat, type Chat, type Person } from '../test/chat.js'
import type { Storage } from './storage.js'

const stored = new Map<string, Buffer>()
const storage: Storage = {
  put: async (key, picture) => void stored.set(key, picture),
  get: async (key) => stored.get(key) ?? null,
  remove: async (key) => void stored.delete(key),
  prepare: async () => undefined,
  check: async () => undefined,
}

let chat: Chat
let png: Buffer
beforeAll(async () => {
  chat = await startChat({}, { storage })
  png = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'teal' } }).png().toBuffer()
})
afterAll(() => chat.stop())

describe('an avatar', () => {
  it('is uploaded as a picture and served as a WebP that may be kept for ever and is never anything but a picture', async () => {
    const ann = await newPerson(chat.url)
    expect(ann.account.avatarUrl).toBeNull()
    const { status, body } = await upload(ann, png)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: ann.account.id, avatarUrl: expect.stringMatching(/^\/avatars\/[0-9a-f-]{36}\.webp$/) as string })

    const response = await fetch(chat.url + (body as Account).avatarUrl)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'content-disposition': 'inline',
      'content-security-policy': "default-src 'none'; sandbox",
    })
    expect(await sharp(Buffer.from(await response.arrayBuffer())).metadata()).toMatchObject({ format: 'webp', width: 256, height: 256 })
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBe((body as Account).avatarUrl)
  })

  it('replaces the one before, which is removed', async () => {
    const ann = await newPerson(chat.url)
    const first = ((await upload(ann, png)).body as Account).avatarUrl
    const second = ((await upload(ann, png)).body as Account).avatarUrl
    expect(second).not.toBe(first)
    expect((await fetch(chat.url + first)).status).toBe(404)
    expect((await fetch(chat.url + second)).status).toBe(200)
  })

  it('leaves no picture without an owner when two are uploaded at once', async () => {
    const before = stored.size
    const ann = await newPerson(chat.url)
    await Promise.all(Array.from({ length: 4 }, () => upload(ann, png)))
    expect(stored.size).toBe(before + 1)
    const { avatarUrl } = (await ann.ask<Account>('GET', '/api/me')).body
    expect((await fetch(chat.url + avatarUrl)).status).toBe(200)
  })

  it('is not taken from strangers', async () => {
    const before = stored.size
    const stranger = await newPerson(chat.url)
    stranger.cookie = ''
    expect((await upload(stranger, png)).status).toBe(401)
    expect(stored.size).toBe(before)
  })

  it.each([
    ['what is not called a picture', 'text/plain', () => Buffer.from('hello'), 415],
    ['an SVG', 'image/svg+xml', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 415],
    ['an SVG that is called a PNG', 'image/png', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 415],
    ['JSON', 'application/json', () => Buffer.from('{"picture":1}'), 415],
    ['an empty body', 'image/png', () => Buffer.alloc(0), 415],
    ['more than 5 MB', 'image/png', () => Buffer.concat([png, Buffer.alloc(5 * 1024 * 1024)]), 413],
  ])('is not made of %s', async (_what, type, body, status) => {
    const ann = await newPerson(chat.url)
    const answer = await upload(ann, body(), type)
    expect(answer.status).toBe(status)
    expect((answer.body as { error: ErrorBody }).error.message).toMatch(/\w/)
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBeNull()
  })

  it('is refused, not lost, when it cannot be stored', async () => {
    const ann = await newPerson(chat.url)
    const put = vi.spyOn(storage, 'put').mockRejectedValueOnce(new Error('disk full'))
    const { status, body } = await upload(ann, png)
    put.mockRestore()
    expect(status).toBe(503)
    expect(JSON.stringify(body)).not.toContain('disk')
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBeNull()
  })

  it('is new even when the old one cannot be removed', async () => {
    const ann = await newPerson(chat.url)
    await upload(ann, png)
    const remove = vi.spyOn(storage, 'remove').mockRejectedValueOnce(new Error('not now'))
    expect((await upload(ann, png)).status).toBe(200)
    remove.mockRestore()
  })

  it.each(['nothing.webp', `${randomUUID()}.webp`, '..%2f..%2fetc%2fpasswd', 'a%00.webp', '%c0%ae.webp', 'x.svg'])('is not found under %s', async (key) => {
    const response = await fetch(`${chat.url}/avatars/${key}`)
    expect([400, 404]).toContain(response.status)
  })
})

function upload(person: Person, body: Buffer, type = 'image/png') {
  return person.ask<Account | { error: ErrorBody }>('PUT', '/api/me/avatar', body, { 'content-type': type })
}
