import Mailgun from 'mailgun.js'
import { z } from 'zod'
import type { MailgunConfig } from '../config.js'
import { MailRefused, type Mailer } from './mailer.js'

const timeoutMs = 5_000

const events = z.object({ body: z.object({ items: z.array(z.unknown()) }) })

/** Mail through Mailgun's HTTP API. */
export function createMailgunMailer({ apiKey, domain, from, url }: MailgunConfig): Mailer {
  const client = new Mailgun(FormData).client({ username: 'api', key: apiKey, url, timeout: timeoutMs })
  return {
    async send({ messageId, to, subject, body }) {
      // Mailgun treats the text after a comma as the next recipient.
      if (/[\s,;<>]/.test(to)) throw new MailRefused(new Error('Not a single plain email address'))
      try {
        await client.messages.create(domain, { from, to, subject, text: body, 'h:Message-Id': `<${messageId}>` })
      } catch (error) {
        throw isRefusal(error) ? new MailRefused(error) : error
      }
    },

    /** Mailgun may list a mail only seconds after it has accepted it. Ask some time after the send. */
    async wasAccepted(messageId) {
      // Search backwards from now. The client's own method for events prints a notice on each call, so use its plain request.
      const query = {
        'message-id': messageId,
        event: 'accepted OR delivered',
        begin: String(Math.floor(Date.now() / 1000)),
        ascending: 'no',
        limit: 1,
      }
      const { body } = events.parse(await client.request.get(`/v3/${domain}/events`, query))
      return body.items.length > 0
    },

    async check() {
      const { state } = await client.domains.get(domain)
      if (state !== 'active') throw new Error(`Mailgun's domain ${domain} is ${state}`)
    },
  }
}

/**
 * Did Mailgun refuse the mail, or was it never reached? After any other error Mailgun may have accepted the mail: the
 * response can be lost, and Mailgun sometimes accepts a mail and answers 5xx.
 */
function isRefusal(error: unknown): boolean {
  const { status, message } = error as { status?: unknown; message: string }
  // When the network fails, mailgun.js reports the status 400, with the error code as the message.
  if (/^E[A-Z_]+$/.test(message)) return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(message)
  return typeof status === 'number' && status >= 400 && status < 500
}
