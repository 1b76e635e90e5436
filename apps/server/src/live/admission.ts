import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import type { Request, Response } from 'express'
import type { Socket } from 'socket.io'
import type { ChatAccount } from '../accounts/accounts.js'
import { bodyOf, ChatError } from '../platform/errors.js'
import { createFaults } from '../platform/faults.js'
import type { Log } from '../platform/log.js'
import type { Session, Sessions } from '../sessions/sessions.js'

/** Throws for a request from a page that is not ours. */
export type CheckOrigin = (headers: { origin?: string | undefined; host?: string | undefined }) => void

/** Whose socket it is. */
export interface SocketData {
  account: ChatAccount
  sessionId: string
}

interface AdmissionOptions {
  log: Log
  sessions: Sessions
  checkOrigin: CheckOrigin
}

const socketsPerAccount = 20

/**
 * Who may connect: pages of our own, with a session, up to 20 times for each account. Each connection has one socket.
 * All of this is counted before any work is done for the socket.
 */
export function createAdmission<Connected extends Socket>({ log, sessions, checkOrigin }: AdmissionOptions) {
  const sayFault = createFaults(log)
  const readSession = promisify<Request, Response>(sessions.middleware)
  /** Connections that have a socket, or ask for one at this moment. */
  const taken = new WeakSet<Connected['conn']>()
  const places = new Map<string, number>()

  async function sessionOf(socket: Connected): Promise<Session> {
    const request = socket.request as Request
    // A handshake has no response that could set a cookie; express-session only listens for its end.
    const response = { end: () => undefined, on: () => undefined, writeHead: () => undefined } as unknown as Response
    await readSession(request, response)
    return request.session
  }

  /** Takes one of the places of an account. Returns how to give it back, which may be called twice. */
  function takePlace(accountId: string): () => void {
    const before = places.get(accountId) ?? 0
    if (before >= socketsPerAccount) throw new ChatError('too_many_connections', 'Too many connections.')
    places.set(accountId, before + 1)
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      const left = (places.get(accountId) ?? 0) - 1
      if (left > 0) places.set(accountId, left)
      else places.delete(accountId)
    }
  }

  async function admit(socket: Connected, enter: (data: SocketData) => Promise<void>): Promise<void> {
    const { conn } = socket
    const session = await sessionOf(socket)
    const account = await sessions.accountOf(session)
    if (account === undefined) throw new ChatError('signed_out', 'Please sign in.')
    if (conn.readyState !== 'open') throw new ChatError('connection_closed', 'The connection has closed.')
    const leavePlace = takePlace(account.id)
    conn.once('close', leavePlace)
    try {
      await enter({ account, sessionId: session.id })
    } catch (error) {
      leavePlace()
      throw error
    }
  }

  return {
    /** Socket.IO asks this before it accepts the WebSocket. */
    allowRequest: (req: IncomingMessage, decide: (error: string | null, isAllowed: boolean) => void) => {
      try {
        checkOrigin(req.headers)
        decide(null, true)
      } catch {
        decide('foreign origin', false)
      }
    },

    /** Socket.IO middleware. A socket that may connect is given to `enter`, which puts it into its rooms. */
    letIn:
      (enter: (socket: Connected, data: SocketData) => Promise<void>) =>
      async (socket: Connected, next: (refusal?: Error) => void) => {
        const { conn } = socket
        const isFirst = !taken.has(conn)
        try {
          if (!isFirst) throw new ChatError('second_socket', 'This connection already has a socket.')
          taken.add(conn)
          await admit(socket, (data) => enter(socket, data))
          next()
        } catch (error) {
          if (isFirst) taken.delete(conn) // The client may try again on the same connection.
          const body = bodyOf(error)
          if (body.code === 'fault') sayFault({ err: error }, 'handshake failed')
          next(Object.assign(new Error(body.code), { data: body }))
        }
      },
  }
}
