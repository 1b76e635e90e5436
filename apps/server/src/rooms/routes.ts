import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import { emailOf, type Accounts } from '../accounts/accounts.js'
import { limits, notifyLevels } from '../contract.js'
import { count, line, parse, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import { signedIn } from '../sessions/sessions.js'
import type { Rooms } from './rooms.js'

const newRoom = z.object({
  name: line('a name', limits.name),
  kind: z.enum(['public', 'private'], 'Please choose public or private.').default('public'),
})
const details = z
  .object({
    name: line('a name', limits.name),
    topic: z.literal('').or(line('a topic', limits.topic)),
    archived: z.boolean(),
  })
  .partial()
const whichPage = z.object({
  search: line('a part of a name', limits.name).optional(),
  after: line('a name', limits.name).optional(),
  limit: count(1, 100).default(30),
})
const membershipChange = z.object({ notify: z.enum(notifyLevels) })
const whichRoom = z.object({ id: uuid() })
const invitation = z.object({ email: emailOf() })

interface RoomRoutes {
  rooms: Rooms
  accounts: Accounts
  roomLimiter: Limiter
  /** The response to an invitation shows whether an email address has an account. */
  inviteLimiter: Limiter
  requireAccount: RequestHandler
}

/** Routes for the rooms of an account, public rooms, memberships and members. */
export function createRoomRoutes({ rooms, accounts, roomLimiter, inviteLimiter, requireAccount }: RoomRoutes): Router {
  return Router()
    .get('/api/rooms', requireAccount, async (_req, res) => {
      res.json({ rooms: await rooms.list(signedIn(res).id) })
    })
    .get('/api/rooms/public', requireAccount, async (req, res) => {
      res.json(await rooms.browse(signedIn(res).id, parse(whichPage, req.query)))
    })
    .get('/api/rooms/:id', requireAccount, async (req, res) => {
      res.json(await rooms.find(signedIn(res).id, parse(whichRoom, req.params).id))
    })
    .post('/api/rooms', requireAccount, async (req, res) => {
      const wanted = parse(newRoom, req.body)
      const accountId = signedIn(res).id
      await roomLimiter.take(accountId, { reqId: req.id, accountId })
      res.status(201).json(await rooms.create(accountId, wanted))
    })
    .patch('/api/rooms/:id', requireAccount, async (req, res) => {
      const accountId = signedIn(res).id
      await roomLimiter.take(accountId, { reqId: req.id, accountId })
      res.json(await rooms.change(accountId, parse(whichRoom, req.params).id, parse(details, req.body)))
    })
    .put('/api/rooms/:id/membership', requireAccount, async (req, res) => {
      res.json(await rooms.join(signedIn(res).id, parse(whichRoom, req.params).id))
    })
    .patch('/api/rooms/:id/membership', requireAccount, async (req, res) => {
      const { notify } = parse(membershipChange, req.body)
      res.json(await rooms.notify(signedIn(res).id, parse(whichRoom, req.params).id, notify))
    })
    .delete('/api/rooms/:id/membership', requireAccount, async (req, res) => {
      await rooms.leave(signedIn(res).id, parse(whichRoom, req.params).id)
      res.sendStatus(204)
    })
    .get('/api/rooms/:id/members', requireAccount, async (req, res) => {
      res.json({ members: await rooms.members(signedIn(res).id, parse(whichRoom, req.params).id) })
    })
    .put('/api/rooms/:id/members', requireAccount, async (req, res) => {
      const { id } = parse(whichRoom, req.params)
      const { email } = parse(invitation, req.body)
      const accountId = signedIn(res).id
      await inviteLimiter.take(accountId, { reqId: req.id, accountId })
      await rooms.invite(accountId, id, async () => (await accounts.findByEmail(email)).id)
      res.sendStatus(204)
    })
}
