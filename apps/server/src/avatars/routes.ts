import express, { Router, type RequestHandler } from 'express'
import type { Accounts } from '../accounts/accounts.js'
import type { AccountRow } from '../accounts/queries.js'
import type { Account } from '../contract.js'
import { ChatError } from '../platform/errors.js'
import type { Limiter } from '../platform/limiter.js'
import { signedIn } from '../sessions/sessions.js'
import type { Avatars } from './avatars.js'

interface AvatarRoutes {
  avatars: Avatars
  accounts: Pick<Accounts, 'find'>
  limiter: Limiter
  requireAccount: RequestHandler
  toAccount: (row: AccountRow) => Account
}

const readPicture = express.raw({ type: ['image/jpeg', 'image/png', 'image/webp'], limit: '5mb' })

/** Pictures in and out. */
export function createAvatarRoutes({ avatars, accounts, limiter, requireAccount, toAccount }: AvatarRoutes): Router {
  // Before the body is read, so that a refusal costs nothing.
  const limit: RequestHandler = async (req, res, next) => {
    const accountId = signedIn(res).id
    await limiter.take(accountId, { reqId: req.id, accountId })
    next()
  }
  return Router()
    .put('/api/me/avatar', requireAccount, limit, readPicture, async (req, res) => {
      const body: unknown = req.body
      if (!Buffer.isBuffer(body)) throw new ChatError('unsupported_media', 'Send a JPEG, PNG or WebP picture as the body.')
      const { id } = signedIn(res)
      await avatars.set(id, body)
      const account = await accounts.find(id)
      if (account === undefined) throw new ChatError('unauthenticated', 'Please sign in.')
      res.json(toAccount(account))
    })
    .get('/avatars/:key', async (req, res) => {
      const picture = await avatars.open(req.params.key)
      if (picture === null) throw new ChatError('not_found', 'There is nothing here.')
      // A stranger made it: whatever it is, it is only ever a picture.
      res.set({
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': 'image/webp',
        'content-disposition': 'inline',
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
      })
      res.send(picture)
    })
}
