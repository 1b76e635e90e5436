import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { builtInForProduction, newPerson, startChat, type Chat } from '../test/chat.js'
import { createMailboxMailer } from './mailbox-mailer.js'

let chat: Chat

describe('the mailbox page', () => {
  beforeEach(async () => {
    chat = await startChat()
  })
  afterEach(() => chat.stop())

  it('shows all mail to everybody, as plain text', async () => {
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
    chat = await startChat(await builtInForProduction())
  })
  afterEach(() => chat.stop())

  it('needs a session, and shows people only the mail to their own email address', async () => {
    expect((await fetch(`${chat.url}/mailbox`)).status).toBe(401)
    const [ann, ben] = [await newPerson(chat.url, 'Ann'), await newPerson(chat.url, 'Ben')]
    const mailer = createMailboxMailer({ db: chat.database.db })
    for (const { account } of [ann, ben])
      await mailer.send({ messageId: account.id, to: account.email, subject: `For ${account.name}`, body: '' })
    const { status, body } = await ann.ask<string>('GET', '/mailbox')
    expect(status).toBe(200)
    expect(body).toContain('For Ann')
    expect(body).not.toContain('For Ben')
  })
})
