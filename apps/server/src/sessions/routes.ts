import { Router } from 'express'
import { z } from 'zod'
import { emailOf, type Accounts } from '../accounts/accounts.js'
import type { Account } from '../contract.js'
import type { AccountRow } from '../accounts/queries.js'
import { parse } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import { waitingOf } from '../platform/waiting.js'
import type { Sessions } from './sessions.js'

interface SessionRoutes {
  accounts: Accounts
  sessions: Sessions
  limiter: Limiter
  toAccount: (row: AccountRow) => Account
}

const credentials = z.object({ email: emailOf(), password: z.string().max(1000) })

/** Signing in and out. */
export function createSessionRoutes({ accounts, sessions, limiter, toAccount }: SessionRoutes): Router {
  return Router()
    .post('/api/session', async (req, res) => {
      const { email, password } = parse(credentials, req.body)
      // By address and account together: nobody can lock somebody else out, and a crowd behind one address is not one person.
      await limiter.take(`${req.ip}:${email}`)
      const account = await accounts.signIn({ email, password }, waitingOf(req, res))
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
