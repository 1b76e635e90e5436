import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import { count, parse, uuid } from '../platform/input.js'
import { signedIn } from '../sessions/sessions.js'
import type { Messages } from './messages.js'

const whichRoom = z.object({ id: uuid() })
const whichPage = z
  .object({
    before: count(1, Number.MAX_SAFE_INTEGER).optional(),
    after: count(0, Number.MAX_SAFE_INTEGER).optional(),
    limit: count(1, 200).default(50),
  })
  .refine(
    ({ before, after }) => before === undefined || after === undefined,
    'A page is either before a message or after one.',
  )

/** History, by `seq` in both directions. */
export function createMessageRoutes({
  messages,
  requireAccount,
}: {
  messages: Messages
  requireAccount: RequestHandler
}): Router {
  return Router().get('/api/rooms/:id/messages', requireAccount, async (req, res) => {
    const { id } = parse(whichRoom, req.params)
    res.json(await messages.page(signedIn(res).id, id, parse(whichPage, req.query)))
  })
}
