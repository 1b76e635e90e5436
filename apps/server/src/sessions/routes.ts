import { Router } from 'express'
import { z } from 'zod'
import { emailOf, passwordOf, type Accounts } from '../accounts/accounts.js'
import type { ToAccount } from '../accounts/person.js'
import { parse } from '../platform/input.js'
import { waitingOf } from '../platform/waiting.js'
import type { Guesses } from './guesses.js'
import type { Sessions } from './sessions.js'

interface SessionRoutes {
  accounts: Accounts
  sessions: Sessions
  guesses: Guesses
  toAccount: ToAccount
}

const credentials = z.object({ email: emailOf(), password: passwordOf() })

/** HTTP routes: sign in, sign out. */
export function createSessionRoutes({ accounts, sessions, guesses, toAccount }: SessionRoutes): Router {
  return Router()
    .post('/api/session', async (req, res) => {
      const { email, password } = parse(credentials, req.body)
      const account = await guesses.atSignIn(req, email, () =>
        accounts.signIn({ email, password }, waitingOf(req, res)),
      )
      await guesses.rememberPlace(req, email)
      await sessions.begin(req, account)
      req.log.info({ accountId: account.id }, 'signed in')
      res.status(201).json(toAccount(account))
    })
    .delete('/api/session', async (req, res) => {
      const { accountId } = req.session
      await sessions.end(req, res)
      if (accountId !== undefined) req.log.info({ accountId }, 'signed out')
      res.sendStatus(204)
    })
}
