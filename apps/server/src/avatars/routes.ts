import { promisify } from 'node:util'
import express, { Router, type Request, type RequestHandler, type Response } from 'express'
import type { Accounts } from '../accounts/accounts.js'
import type { PersonNews } from '../accounts/person-news.js'
import type { ToAccount } from '../accounts/person.js'
import { limits } from '../contract.js'
import { ChatError } from '../platform/errors.js'
import type { Limiter } from '../platform/limiter.js'
import { waitingOf } from '../platform/waiting.js'
import { signedIn } from '../sessions/sessions.js'
import type { Avatars } from './avatars.js'

interface AvatarRoutes {
  avatars: Avatars
  accounts: Pick<Accounts, 'find'>
  personNews: Pick<PersonNews, 'add'>
  limiter: Limiter
  requireAccount: RequestHandler
  toAccount: ToAccount
}

const { bytes, types } = limits.picture
const choose = `Choose a JPEG, PNG or WebP picture of up to ${bytes / 1024 ** 2} MB.`
const parsePicture = express.raw({ type: [...types], limit: bytes })
const readPicture = promisify<Request, Response>(parsePicture)

// Uploads wait for each other, and each of them has its body in memory.
const picturesInHand = 8

/** HTTP routes: upload an avatar, download an avatar. */
export function createAvatarRoutes({
  avatars,
  accounts,
  personNews,
  limiter,
  requireAccount,
  toAccount,
}: AvatarRoutes): Router {
  const inHand = new Set<string>()

  /** Runs one upload per account, and a few in total. Refuses others before their body is read, so that a refusal costs nothing. */
  async function takeInHand(accountId: string, work: () => Promise<void>): Promise<void> {
    if (inHand.has(accountId))
      throw new ChatError(
        'picture_in_hand',
        'Your picture before this one is still being worked on. Please wait a little.',
        { retryAfterSeconds: 5 },
      )
    if (inHand.size >= picturesInHand)
      throw new ChatError('busy', 'Too many people change their pictures just now. Please try again.', {
        retryAfterSeconds: 5,
      })
    inHand.add(accountId)
    await work().finally(() => inHand.delete(accountId))
  }

  return Router()
    .put('/api/me/avatar', requireAccount, async (req, res) => {
      const { id } = signedIn(res)
      const { gone } = waitingOf(req, res)
      await takeInHand(id, async () => {
        await limiter.take(id, { reqId: req.id, accountId: id })
        await readPicture(req, res).catch((error: Error & { status?: number }) => {
          throw error.status === 413 ? new ChatError('picture_too_large', choose) : error
        })
        const body: unknown = req.body
        if (!Buffer.isBuffer(body)) throw new ChatError('not_a_picture', choose)
        await avatars.set(id, body, gone)
        personNews.add(id)
      })
      const account = await accounts.find(id)
      if (account === undefined) throw new ChatError('signed_out', 'Please sign in.')
      res.json(toAccount(account))
    })
    .get('/avatars/:key', async (req, res) => {
      const picture = await avatars.open(req.params.key)
      if (picture === null) throw new ChatError('nothing_here', 'There is nothing here.')
      // A user made this file, so these headers make browsers treat it as a picture and as nothing else.
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
