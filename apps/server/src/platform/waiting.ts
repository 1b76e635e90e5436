import type { Request, Response } from 'express'
import type { Waiting } from './gate.js'
import { visitorAt } from './limiter.js'

/** Who waits for the answer to a request, and whether still: those of different addresses take turns at a gate. */
export function waitingOf(req: Request, res: Response): Waiting {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  return { key: visitorAt(req.ip), gone: gone.signal }
}
