import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAccounts, type Accounts } from '../accounts/accounts.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { startMailgun, type FakeMailgun } from '../test/mailgun.js'
import { createMailboxMailer, listMails } from './mailbox-mailer.js'
import { createMailgunMailer } from './mailgun-mailer.js'
import type { Mailer } from './mailer.js'
import { sendWelcome } from './send-welcome.js'

const password = 'correct horse battery'

let database: FreshDatabase
let accounts: Accounts
let mailgun: FakeMailgun

beforeEach(async () => {
  database = await freshDatabase()
  accounts = createAccounts({ db: database.db })
  mailgun = await startMailgun()
})
afterEach(async () => {
  await mailgun.close()
  await database.close()
})

describe('the welcome mail', () => {
  it('goes to the email address of the new account, with the URL of the chat and without text of the user', async () => {
    const ann = await signUp('URGENT call me')
    await welcome(createMailboxMailer({ db: database.db }))(registered(ann.id))
    const [mail] = await listMails(database.db, ann.email, 10)
    expect(mail).toMatchObject({
      to: ann.email,
      subject: 'Welcome to the chat!',
      body: expect.stringContaining('https://chat.example') as string,
    })
    expect(mail?.body).not.toContain('URGENT')
  })

  it('is sent once when the same event arrives twice', async () => {
    const handle = welcome(createMailgunMailer(mailgun.config))
    const event = registered((await signUp()).id)
    await handle(event)
    await handle(event)
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is sent once when the same event arrives many times at once', async () => {
    const handle = welcome(createMailgunMailer(mailgun.config))
    const event = registered((await signUp()).id)
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => handle(event)))
    expect(mailgun.taken).toHaveLength(1)
    // The other calls do not succeed before the mail was sent.
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
    await handle(event)
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is sent once when the sender dies after Mailgun has accepted it', async () => {
    const event = registered((await signUp()).id)
    const mailer = createMailgunMailer(mailgun.config)
    const dying: Mailer = {
      ...mailer,
      async send(mail) {
        await mailer.send(mail)
        throw new Error('killed before the mail was marked as sent')
      },
    }
    await expect(welcome(dying)(event)).rejects.toThrow()
    // Until the lease ends, the first process may be alive, so another one does not send the mail.
    await expect(welcome(mailer)(event)).rejects.toThrow('Another process has started')
    await welcome(mailer, 0)(event)
    await welcome(mailer)(event)
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is sent when the first sender died before Mailgun had accepted it', async () => {
    const event = registered((await signUp()).id)
    mailgun.mood = 'hangs up'
    const handle = welcome(createMailgunMailer(mailgun.config), 0)
    await expect(handle(event)).rejects.toThrow()
    mailgun.mood = 'takes mail'
    await handle(event)
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is sent by only one of the processes that find an abandoned delivery', async () => {
    const event = registered((await signUp()).id)
    mailgun.mood = 'hangs up'
    await expect(welcome(createMailgunMailer(mailgun.config))(event)).rejects.toThrow()
    mailgun.mood = 'takes mail'
    await database.db.query(`update mail_deliveries set started_at = now() - interval '2 minutes'`)
    const handle = welcome(createMailgunMailer(mailgun.config))
    await Promise.allSettled(Array.from({ length: 8 }, () => handle(event)))
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is tried again at once, without waiting for a lease, when Mailgun has refused it', async () => {
    const event = registered((await signUp()).id)
    const handle = welcome(createMailgunMailer(mailgun.config))
    mailgun.mood = 'refuses mail'
    await expect(handle(event)).rejects.toThrow()
    mailgun.mood = 'takes mail'
    await handle(event)
    expect(mailgun.taken).toHaveLength(1)
  })

  it('is not sent to bots and deleted accounts', async () => {
    const mailer = createMailgunMailer(mailgun.config)
    await welcome(mailer)(registered(randomUUID()))
    await welcome(mailer)(registered('00000000-0000-4000-8000-00000000b075'))
    // The handler works: it sends the mail to an existing account.
    await welcome(mailer)(registered((await signUp()).id))
    expect(mailgun.taken).toHaveLength(1)
  })
})

function welcome(mailer: Mailer, leaseMs?: number) {
  return sendWelcome({
    db: database.db,
    accounts,
    mailer,
    publicUrl: 'https://chat.example',
    ...(leaseMs !== undefined && { leaseMs }),
  })
}

function signUp(name = 'Ann') {
  return accounts.signUp({ name, email: `${randomUUID()}@example.com`, password })
}

function registered(accountId: string) {
  return { id: randomUUID(), type: 'account.registered' as const, payload: { accountId } }
}
