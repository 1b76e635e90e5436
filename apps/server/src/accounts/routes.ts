import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import type { News } from '../live/news.js'
import { because, parse } from '../platform/input.js'
import { visitorAt, type Limiter } from '../platform/limiter.js'
import { waitingOf } from '../platform/waiting.js'
import type { Rooms } from '../rooms/rooms.js'
import type { Guesses } from '../sessions/guesses.js'
import { signedIn, type Sessions } from '../sessions/sessions.js'
import { emailOf, nameOf, passwordOf, type Accounts } from './accounts.js'
import type { ToAccount } from './person.js'
import type { PersonNews } from './person-news.js'

interface AccountRoutes {
  accounts: Accounts
  sessions: Sessions
  rooms: Pick<Rooms, 'welcome'>
  news: News
  personNews: Pick<PersonNews, 'add'>
  guesses: Guesses
  limiter: Limiter
  requireAccount: RequestHandler
  toAccount: ToAccount
}

const newAccount = z.object({ name: nameOf(), email: emailOf(), password: z.string('Please enter a password.') })
const changes = z
  .object({ name: nameOf(), password: z.string('Please enter a new password.'), currentPassword: passwordOf() })
  .partial()
  .refine(
    ({ name, password }) => name !== undefined || password !== undefined,
    because('empty', 'Please enter a name or a new password.'),
  )

/** HTTP routes: sign up, read and change the own profile. */
export function createAccountRoutes({
  accounts,
  sessions,
  rooms,
  news,
  personNews,
  guesses,
  limiter,
  requireAccount,
  toAccount,
}: AccountRoutes): Router {
  return Router()
    .post('/api/accounts', async (req, res) => {
      const wanted = parse(newAccount, req.body)
      await limiter.take(visitorAt(req.ip), { reqId: req.id })
      const account = await accounts.signUp(wanted, waitingOf(req, res))
      await rooms.welcome(account.id)
      await guesses.rememberPlace(req, account.email)
      await sessions.begin(req, account)
      req.log.info({ accountId: account.id }, 'signed up')
      res.status(201).json(toAccount(account))
    })
    .get('/api/me', requireAccount, (_req, res) => {
      res.json(toAccount(signedIn(res)))
    })
    .patch('/api/me', requireAccount, async (req, res) => {
      const wanted = parse(changes, req.body)
      const change = () => accounts.change(signedIn(res), wanted, waitingOf(req, res))
      const account = await (wanted.password === undefined ? change() : guesses.atChange(req, change))
      if (wanted.name !== undefined) personNews.add(account.id)
      if (wanted.password !== undefined) {
        // This session continues under a new id. All other sessions of the account end, with their sockets.
        req.log.info({ accountId: account.id }, 'password changed')
        const { id } = await sessions.begin(req, account)
        news.send({ type: 'other-sessions-ended', accountId: account.id, exceptSessionId: id })
      }
      res.json(toAccount(account))
    })
}
