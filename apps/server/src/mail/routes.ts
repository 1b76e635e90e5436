import { Router } from 'express'
import { ChatError } from '../platform/errors.js'
import type { Db } from '../platform/db.js'
import { escapeHtml, renderPage } from '../http/shell.js'
import type { Sessions } from '../sessions/sessions.js'
import { listMails, type ReceivedMail } from './mailbox-mailer.js'

interface MailRoutes {
  db: Db
  /** True: people see the mail to their own email address. False: everybody sees all mail. */
  onlyOwn: boolean
  sessions: Pick<Sessions, 'accountOf'>
}

const shown = 100

/** HTTP route: the page of the local mailbox. */
export function createMailRoutes({ db, onlyOwn, sessions }: MailRoutes): Router {
  return Router().get('/mailbox', async (req, res) => {
    const account = onlyOwn ? await sessions.accountOf(req.session) : undefined
    if (onlyOwn && account === undefined) throw new ChatError('signed_out', 'Please sign in.')
    const mails = await listMails(db, account?.email ?? null, shown)
    res
      .set('cache-control', 'no-store')
      .type('html')
      .send(await renderPage({ title: 'Mailbox', body: list(mails) }))
  })
}

function list(mails: ReceivedMail[]): string {
  return `    <main class="page">
      <h1>Mailbox</h1>
      <p class="subtle">${mails.length === 0 ? 'No mail yet.' : 'Mail that this chat has sent, the newest first.'}</p>
${mails.map(article).join('')}    </main>`
}

function article({ to, subject, body, sentAt }: ReceivedMail): string {
  const time = sentAt.toISOString()
  return `      <article class="sheet">
        <h2>${escapeHtml(subject)}</h2>
        <p class="subtle">To ${escapeHtml(to)}, <time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></p>
        <p class="body">${escapeHtml(body)}</p>
      </article>
`
}
