import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { startMailgun, type FakeMailgun } from '../test/mailgun.js'
import { createMailboxMailer, listMails } from './mailbox-mailer.js'
import { MailRefused, type Mail, type Mailer } from './mailer.js'
import { createMailgunMailer } from './mailgun-mailer.js'

let database: FreshDatabase
let mailgun: FakeMailgun

beforeEach(async () => {
  database = await freshDatabase()
  mailgun = await startMailgun()
})
afterEach(async () => {
  await mailgun.close()
  await database.close()
})

const mailers = [
  {
    name: 'the mailbox',
    create: (): Mailer => createMailboxMailer({ db: database.db }),
    received: async () =>
      (await listMails(database.db, null, 10)).map(({ messageId, to, subject, body }) => ({
        messageId,
        to,
        subject,
        body,
      })),
  },
  {
    name: 'Mailgun',
    create: (): Mailer => createMailgunMailer(mailgun.config),
    received: async () =>
      mailgun.taken.map((mail) => ({
        messageId: mail['h:Message-Id']?.slice(1, -1),
        to: mail.to,
        subject: mail.subject,
        body: mail.text,
      })),
  },
]

describe.each(mailers)('mail through $name', ({ create, received }) => {
  it('arrives as it was written', async () => {
    const mail = newMail()
    await create().send(mail)
    expect(await received()).toEqual([mail])
  })

  it('is reported as accepted, and other mail is not', async () => {
    const mail = newMail()
    const mailer = create()
    expect(await mailer.wasAccepted(mail.messageId)).toBe(false)
    await mailer.send(mail)
    expect(await mailer.wasAccepted(mail.messageId)).toBe(true)
    expect(await mailer.wasAccepted(newMail().messageId)).toBe(false)
  })

  it('passes the check', async () => {
    await expect(create().check()).resolves.toBeUndefined()
  })
})

describe('the mailbox', () => {
  it('contains a mail once that was sent twice', async () => {
    const mail = newMail()
    const mailer = createMailboxMailer({ db: database.db })
    await mailer.send(mail)
    await mailer.send(mail)
    expect(await listMails(database.db, null, 10)).toHaveLength(1)
  })

  it('lists the newest mail first, and can list the mail to one email address only', async () => {
    const mailer = createMailboxMailer({ db: database.db })
    const [first, second, third] = [newMail('ann@example.com'), newMail('ben@example.com'), newMail('ann@example.com')]
    for (const mail of [first, second, third]) {
      await database.db.query(`update mailbox set sent_at = sent_at - interval '1 minute'`)
      await mailer.send(mail)
    }
    const idsOf = async (recipient: string | null, limit: number) =>
      (await listMails(database.db, recipient, limit)).map(({ messageId }) => messageId)
    expect(await idsOf(null, 10)).toEqual([third.messageId, second.messageId, first.messageId])
    expect(await idsOf('ann@example.com', 10)).toEqual([third.messageId, first.messageId])
    expect(await idsOf(null, 1)).toEqual([third.messageId])
  })
})

describe('Mailgun', () => {
  it('gets the sender from the configuration', async () => {
    await createMailgunMailer(mailgun.config).send(newMail())
    expect(mailgun.taken).toMatchObject([{ from: mailgun.config.from }])
  })

  it('has certainly not accepted a mail that it refused', async () => {
    mailgun.mood = 'refuses mail'
    await expect(createMailgunMailer(mailgun.config).send(newMail())).rejects.toThrow(MailRefused)
  })

  it('has certainly not accepted a mail when it could not be reached', async () => {
    const mailer = createMailgunMailer(mailgun.config)
    await mailgun.close()
    await expect(mailer.send(newMail())).rejects.toThrow(MailRefused)
  })

  it.each(['takes mail and hangs up', 'hangs up', 'takes mail and fails'] as const)(
    'may have accepted the mail when it %s',
    async (mood) => {
      mailgun.mood = mood
      const failure = await createMailgunMailer(mailgun.config)
        .send(newMail())
        .catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(Error)
      expect(failure).not.toBeInstanceOf(MailRefused)
    },
  )

  it('is never asked to send a mail to two people', async () => {
    const mailer = createMailgunMailer(mailgun.config)
    for (const to of [
      'ann@example.com,ben@example.com',
      'Ann <ann@example.com>',
      'ann@example.com\r\nBcc: ben@example.com',
    ]) {
      await expect(mailer.send(newMail(to))).rejects.toThrow(MailRefused)
    }
    expect(mailgun.taken).toEqual([])
  })

  it('fails the check with a wrong key', async () => {
    await expect(createMailgunMailer({ ...mailgun.config, apiKey: 'another' }).check()).rejects.toThrow()
  })
})

function newMail(to = 'ann@example.com'): Mail {
  return { messageId: `${randomUUID()}@chat`, to, subject: 'Grüße, 😀', body: 'One line,\nanother <one>.' }
}
