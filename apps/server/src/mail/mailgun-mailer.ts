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
      // Mailgun reads a comma as the next recipient.
      if (/[\s,;<>]/.test(to)) throw new MailRefused(new Error('Not one plain address'))
      try {
        await client.messages.create(domain, { from, to, subject, text: body, 'h:Message-Id': `<${messageId}>` })
      } catch (error) {
        throw isRefusal(error) ? new MailRefused(error) : error
      }
    },

    /** Mailgun may need seconds to list what it has just taken: ask some time after the send. */
    async wasAccepted(messageId) {
      // From now backwards. Asked through the client's plain request: its own method for events prints a notice each time.
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
 * Mailgun said no, or was never reached. Anything else leaves it open: an answer can be lost on its way, and Mailgun has
 * been seen to take a mail and answer 5xx.
 */
function isRefusal(error: unknown): boolean {
  const { status, message } = error as { status?: unknown; message: string }
  // mailgun.js says 400 when the network failed, with the code of the failure as the message.
  if (/^E[A-Z_]+$/.test(message)) return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(message)
  return typeof status === 'number' && status >= 400 && status < 500
}
