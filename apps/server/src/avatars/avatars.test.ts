import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { json } from 'node:stream/consumers'
import express, { type RequestHandler } from 'express'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Account, ErrorBody } from '../contract.js'
import { newPerson, Person, startChat, type Chat } from '../test/chat.js'
import type { Avatars } from './avatars.js'
import { createAvatarRoutes } from './routes.js'
import type { Storage } from '../storage/storage.js'

// Each avatar is drawn in a separate process, which starts slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const stored = new Map<string, Buffer>()
/** Names of the pictures in it, each of which may be in the folder and in the root. */
const pictures = () => new Set([...stored.keys()].map((key) => basename(key)).filter((name) => name.endsWith('.webp')))
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
  chat = await startChat({ LIMIT_UPLOAD: '1000/60' }, { storage })
  png = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'teal' } })
    .png()
    .toBuffer()
})
afterAll(() => chat.stop())

describe('an avatar', () => {
  it('is uploaded as a picture and served as a WebP that browsers may keep and treat as a picture only', async () => {
    const ann = await newPerson(chat.url)
    expect(ann.account.avatarUrl).toBeNull()
    const { status, body } = await upload(ann, png)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: ann.account.id,
      avatarUrl: expect.stringMatching(/^\/avatars\/[0-9a-f-]{36}\.webp$/) as string,
    })

    const response = await fetch(chat.url + (body as Account).avatarUrl)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'content-disposition': 'inline',
      'content-security-policy': "default-src 'none'; sandbox",
    })
    expect(await sharp(Buffer.from(await response.arrayBuffer())).metadata()).toMatchObject({
      format: 'webp',
      width: 256,
      height: 256,
    })
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBe((body as Account).avatarUrl)
  })

  it('is in the folder of avatars, and in the root for the release before', async () => {
    const ann = await newPerson(chat.url)
    const key = ((await upload(ann, png)).body as Account).avatarUrl?.split('/').at(-1)
    expect([...stored.keys()].filter((each) => basename(each) === key).sort()).toEqual([key, `avatars/${key}`].sort())
  })

  it('is found where the release before has stored it', async () => {
    const key = '22222222-2222-4222-8222-222222222222.webp'
    stored.set(key, png)
    expect((await fetch(`${chat.url}/avatars/${key}`)).status).toBe(200)
    stored.delete(key)
  })

  it('replaces the previous one, which is removed', async () => {
    const ann = await newPerson(chat.url)
    const first = ((await upload(ann, png)).body as Account).avatarUrl
    const second = ((await upload(ann, png)).body as Account).avatarUrl
    expect(second).not.toBe(first)
    expect((await fetch(chat.url + first)).status).toBe(404)
    expect((await fetch(chat.url + second)).status).toBe(200)
  })

  it('leaves no unused picture when two are uploaded at once', async () => {
    const before = pictures().size
    const ann = await newPerson(chat.url)
    const elsewhere = Object.assign(new Person((await chat.replica()).url), { cookie: ann.cookie })
    const uploads = await Promise.all([upload(ann, png), upload(elsewhere, png)])
    expect(uploads.map(({ status }) => status)).toEqual([200, 200])
    expect(pictures().size).toBe(before + 1)
    const { avatarUrl } = (await ann.ask<Account>('GET', '/api/me')).body
    expect((await fetch(chat.url + avatarUrl)).status).toBe(200)
  })

  it('is not accepted without a session', async () => {
    const before = pictures().size
    const stranger = await newPerson(chat.url)
    stranger.cookie = ''
    expect((await upload(stranger, png)).status).toBe(401)
    expect(pictures().size).toBe(before)
  })

  it.each([
    ['a text', 'text/plain', () => Buffer.from('hello'), 415],
    ['an SVG', 'image/svg+xml', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 415],
    [
      'an SVG with the content type of a PNG',
      'image/png',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      415,
    ],
    ['JSON', 'application/json', () => Buffer.from('{"picture":1}'), 415],
    ['an empty body', 'image/png', () => Buffer.alloc(0), 415],
    ['more than 5 MB', 'image/png', () => Buffer.concat([png, Buffer.alloc(5 * 1024 * 1024)]), 413],
  ])('is not made from %s', async (_what, type, body, status) => {
    const ann = await newPerson(chat.url)
    const answer = await upload(ann, body(), type)
    expect(answer.status).toBe(status)
    // The message tells people what to choose, and not what is wrong with the request.
    expect((answer.body as { error: ErrorBody }).error.message).toMatch(/JPEG, PNG or WebP picture/)
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBeNull()
  })

  it('is answered with 503 when it cannot be stored', async () => {
    const ann = await newPerson(chat.url)
    const put = vi.spyOn(storage, 'put').mockRejectedValueOnce(new Error('disk full'))
    const { status, body } = await upload(ann, png)
    put.mockRestore()
    expect(status).toBe(503)
    expect(JSON.stringify(body)).not.toContain('disk')
    expect((await ann.ask<Account>('GET', '/api/me')).body.avatarUrl).toBeNull()
  })

  it('is replaced even when the old one cannot be removed', async () => {
    const ann = await newPerson(chat.url)
    await upload(ann, png)
    const remove = vi.spyOn(storage, 'remove').mockRejectedValueOnce(new Error('not now'))
    expect((await upload(ann, png)).status).toBe(200)
    remove.mockRestore()
  })

  it('is made from one upload per account at a time: a second one is refused with a reason', async () => {
    const ann = await newPerson(chat.url)
    const uploads = [beginUpload(ann), beginUpload(ann)]
    const refused = await Promise.race(uploads.map((each) => each.answer))
    expect(refused).toMatchObject({
      status: 429,
      body: {
        error: {
          code: 'rate_limited',
          reason: 'picture_in_hand',
          message: expect.stringContaining('worked on') as string,
        },
      },
    })
    expect(refused.retryAfter).toBeGreaterThan(0)
    for (const each of uploads) each.goOn()
    expect((await Promise.all(uploads.map((each) => each.answer))).map(({ status }) => status).sort()).toEqual([
      200, 429,
    ])
    expect((await upload(ann, png)).status).toBe(200)
  })

  it('is refused at once, with a time to retry, while many other people upload theirs', async () => {
    const people = await Promise.all(Array.from({ length: 9 }, () => newPerson(chat.url)))
    const uploads = people.map(beginUpload)
    const refused = await Promise.race(uploads.map((each) => each.answer))
    expect(refused).toMatchObject({
      status: 503,
      body: { error: { code: 'unavailable', reason: 'busy', message: expect.stringContaining('people') as string } },
    })
    expect(refused.retryAfter).toBeGreaterThan(0)
    for (const each of uploads) each.goOn()
    expect((await Promise.all(uploads.map((each) => each.answer))).map(({ status }) => status).sort()).toEqual([
      ...Array<number>(8).fill(200),
      503,
    ])
  })

  it('does not wait for twenty large ones of another account', async () => {
    const [ann, ben] = await Promise.all([newPerson(chat.url), newPerson(chat.url)])
    const large = await sharp({ create: { width: 4_800, height: 5_000, channels: 3, background: 'teal' } })
      .png({ progressive: true })
      .toBuffer()
    let before = 0
    const others = Array.from({ length: 20 }, () =>
      upload(ann, large).then(({ status }) => void (status === 200 && (before += 1))),
    )
    await Promise.race(others) // some of them have arrived
    expect((await upload(ben, png)).status).toBe(200)
    expect(before).toBeLessThan(3)
    await Promise.all(others)
  })

  it('is not drawn any more when its client has gone', async () => {
    const drawing = new EventEmitter()
    const set: Avatars['set'] = (_accountId, _body, signal) => new Promise(() => drawing.emit('begun', signal))
    const signIn: RequestHandler = (_req, res, next) => {
      res.locals.account = { id: 'ann' }
      next()
    }
    const slice = {
      personNews: { add: () => undefined },
      avatars: { set } as Avatars,
      limiter: { take: async () => undefined, giveBack: async () => undefined },
      requireAccount: signIn,
      accounts: { find: async () => undefined },
    }
    const server = express()
      .use(createAvatarRoutes({ ...slice, toAccount: (row) => ({ ...row, avatarUrl: null }) }))
      .listen(0, '127.0.0.1')
    await once(server, 'listening')

    const begun = once(drawing, 'begun') as Promise<[AbortSignal]>
    const asked = request({
      port: (server.address() as AddressInfo).port,
      method: 'PUT',
      path: '/api/me/avatar',
      headers: { 'content-type': 'image/png' },
    })
    asked.on('error', () => undefined)
    asked.end(png)
    const [signal] = await begun
    asked.destroy()
    if (!signal.aborted) await once(signal, 'abort')
    server.close()
  })

  it.each(['nothing.webp', `${randomUUID()}.webp`, '..%2f..%2fetc%2fpasswd', 'a%00.webp', '%c0%ae.webp', 'x.svg'])(
    'is not found under the key %s',
    async (key) => {
      const response = await fetch(`${chat.url}/avatars/${key}`)
      expect([400, 404]).toContain(response.status)
    },
  )
})

function asking(person: Person, length: number) {
  const headers = { origin: person.url, cookie: person.cookie, 'content-type': 'image/png', 'content-length': length }
  return request(`${person.url}/api/me/avatar`, { method: 'PUT', headers, agent: false })
}

/** Starts an upload. `goOn` sends the rest of its body. */
function beginUpload(person: Person) {
  const asked = asking(person, png.length)
  asked.on('error', () => undefined) // the server may close the connection of a refused upload
  asked.write(png.subarray(0, 10))
  const answer = (once(asked, 'response') as Promise<[IncomingMessage]>).then(async ([response]) => {
    const { statusCode: status, headers } = response
    return { status, retryAfter: Number(headers['retry-after']), body: await json(response) }
  })
  return { answer, goOn: () => asked.end(png.subarray(10)) }
}

function upload(person: Person, body: Buffer, type = 'image/png') {
  return person.ask<Account | { error: ErrorBody }>('PUT', '/api/me/avatar', body, { 'content-type': type })
}
