import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newPerson, startChat, type Chat } from '../test/chat.js'
import { createMailboxMailer } from './mailbox-mailer.js'

let chat: Chat

describe('the mailbox page', () => {
  beforeEach(async () => {
    chat = await startChat()
  })
  afterEach(() => chat.stop())

  it('shows the mail to everybody, as text and nothing else', async () => {
    await createMailboxMailer({ db: chat.database.db }).send({
      messageId: 'one@chat',
      to: 'ann@example.com',
      subject: '<script>alert(1)</script>',
      body: `"><img src=x onerror='alert(2)'> & so on`,
    })
    const response = await fetch(`${chat.url}/mailbox`)
    const page = await response.text()
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page).toContain('<h2>&lt;script&gt;alert(1)&lt;/script&gt;</h2>')
    expect(page).toContain('&quot;&gt;&lt;img src=x onerror=&#39;alert(2)&#39;&gt; &amp; so on')
    expect(page).not.toMatch(/<script|<img/)
  })
})

describe('the mailbox page in production', () => {
  beforeEach(async () => {
    const port = await freePort()
    const names = ['SESSION_REDIS', 'S3_ENDPOINT', 'S3_PORT', 'S3_SSL', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'S3_BUCKET']
    const none = Object.fromEntries(names.map((name) => [name, '']))
    const builtIn = { ...none, SESSIONS: 'postgres', BUS: 'in-process', STORAGE: 'disk', MAILER: 'mailbox' }
    chat = await startChat({ ...builtIn, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: port, PUBLIC_URL: `http://127.0.0.1:${port}`, DRAIN_MS: '0' })
  })
  afterEach(() => chat.stop())

  it('is closed to strangers, and shows people only the mail to their own address', async () => {
    expect((await fetch(`${chat.url}/mailbox`)).status).toBe(401)
    const [ann, ben] = [await newPerson(chat.url, 'Ann'), await newPerson(chat.url, 'Ben')]
    const mailer = createMailboxMailer({ db: chat.database.db })
    for (const { account } of [ann, ben]) await mailer.send({ messageId: account.id, to: account.email, subject: `For ${account.name}`, body: '' })
    const { status, body } = await ann.ask<string>('GET', '/mailbox')
    expect(status).toBe(200)
    expect(body).toContain('For Ann')
    expect(body).not.toContain('For Ben')
  })
})

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return String(port)
}
