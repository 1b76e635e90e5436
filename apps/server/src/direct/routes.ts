import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import { limits } from '../contract.js'
import { line, parse, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import { signedIn } from '../sessions/sessions.js'
import type { Direct } from './direct.js'

const wanted = z.object({
  people: z
    .array(uuid())
    .min(1)
    .max(limits.directPeople - 1),
})
const whichPeople = z.object({ search: line('a part of a name', limits.name).optional() })

interface DirectRoutes {
  direct: Direct
  roomLimiter: Limiter
  requireAccount: RequestHandler
}

/** Routes for direct conversations and the people to begin them with. */
export function createDirectRoutes({ direct, roomLimiter, requireAccount }: DirectRoutes): Router {
  return Router()
    .get('/api/people', requireAccount, async (req, res) => {
      const { search = '' } = parse(whichPeople, req.query)
      res.json({ people: await direct.people(signedIn(res).id, search) })
    })
    .post('/api/direct', requireAccount, async (req, res) => {
      const { people } = parse(wanted, req.body)
      const accountId = signedIn(res).id
      await roomLimiter.take(accountId, { reqId: req.id, accountId })
      res.json(await direct.begin(accountId, people))
    })
}
