import type { Request, Response } from 'express'
import type { Waiting } from './gate.js'
import { visitorAt } from './limiter.js'

/** The client of a request, for a gate: clients take turns by IP address, and `gone` aborts when the connection closes. */
export function waitingOf(req: Request, res: Response): Waiting {
  const gone = new AbortController()
  res.once('close', () => gone.abort())
  return { key: visitorAt(req.ip), gone: gone.signal }
}
