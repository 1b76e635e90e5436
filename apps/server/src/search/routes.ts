import { Router, type RequestHandler } from 'express'
import { z } from 'zod'
import { limits } from '../contract.js'
import { count, line, parse, uuid } from '../platform/input.js'
import type { Limiter } from '../platform/limiter.js'
import { signedIn } from '../sessions/sessions.js'
import type { Search } from './search.js'

const wanted = z.object({
  text: line('some words', limits.search),
  roomId: uuid().optional(),
  authorId: uuid().optional(),
  since: z.iso.date().optional(),
  until: z.iso.date().optional(),
  after: z
    .string()
    .regex(/^\d+(\.\d+)? \d{1,15} [0-9a-f-]{36}$/)
    .optional(),
  limit: count(1, 50).default(20),
})

interface SearchRoutes {
  search: Search
  limiter: Limiter
  requireAccount: RequestHandler
}

/** The route for searching messages. */
export function createSearchRoutes({ search, limiter, requireAccount }: SearchRoutes): Router {
  return Router().get('/api/search', requireAccount, async (req, res) => {
    const accountId = signedIn(res).id
    await limiter.take(accountId, { reqId: req.id, accountId })
    const { text, roomId, authorId, since, until, after, limit } = parse(wanted, req.query)
    res.json(await search.find(accountId, { text, roomId, authorId, since, until }, after, limit))
  })
}
