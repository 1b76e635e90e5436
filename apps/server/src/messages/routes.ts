import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import { count, parse, uuid } from '../platform/input.js'
import { signedIn } from '../sessions/sessions.js'
import type { Messages, Place } from './messages.js'

const whichRoom = z.object({ id: uuid() })
const place = {
  before: count(1, Number.MAX_SAFE_INTEGER).optional(),
  after: count(0, Number.MAX_SAFE_INTEGER).optional(),
  around: count(1, Number.MAX_SAFE_INTEGER).optional(),
  changedAfter: count(0, Number.MAX_SAFE_INTEGER).optional(),
} satisfies Record<keyof Place, unknown>
const whichPage = z
  .object({ ...place, limit: count(1, 200).default(50) })
  .refine(
    (page) => Object.keys(place).filter((name) => page[name as keyof Place] !== undefined).length <= 1,
    `Please use only one of ${Object.keys(place).join(', ')}.`,
  )

/** The route for the history of a room, and for its changes. */
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
