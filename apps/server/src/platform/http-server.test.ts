import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { pino } from 'pino'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../test/eventually.js'
import { createHttpServer } from './http-server.js'

const limits = { headersMs: 1_000, requestMs: 1_500, silenceMs: 1_000, keepAliveMs: 60_000, checkEveryMs: 200 }
const large = Buffer.alloc(12_000_000, 'x')

let server: Server
let sockets: SocketServer
let port: number
let said: { msg: string; path?: string }[]
let clients: Socket[]
let accepted: number
let trickle: NodeJS.Timeout | undefined
beforeEach(async () => {
  said = []
  clients = []
  accepted = 0
  const log = pino({}, { write: (line) => said.push(JSON.parse(line) as { msg: string }) })
  server = createHttpServer(answer, log, limits)
  sockets = new SocketServer(server, { transports: ['websocket'], serveClient: false })
  server.on('connection', () => (accepted += 1))
  sockets.on(
    'connection',
    (socket) => void socket.on('ask', (acknowledge: (word: string) => void) => acknowledge('still here')),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  clearInterval(trickle)
  for (const client of clients) client.destroy()
  await sockets.close()
})

const answer: RequestListener = (req, res) => {
  if (req.method === 'GET') res.end(req.url?.startsWith('/large') ? large : 'small')
  else req.resume().once('end', () => res.end('taken'))
}

/** A client that keeps its side open when the server closes the other side. It reads nothing before it has a listener. */
function open(words: string): Socket {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => undefined).write(words)
  clients.push(client)
  return client
}
const connections = () =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )

/** Resolves when the server has accepted `of` connections and closed all but `left`. */
const areLeft = (left: number, of: number) =>
  eventually(async () => expect([accepted, await connections()]).toEqual([of, left]))

describe('the HTTP server', () => {
  it.each([
    ['sends nothing', '', ''],
    ['never ends its headers', 'GET / HTTP/1.1\r\nhost: chat\r\n', ''],
    ['sends its headers one by one', 'GET / HTTP/1.1\r\nhost: chat\r\n', 'x: y\r\n'],
    ['never sends its body', 'POST / HTTP/1.1\r\nhost: chat\r\ncontent-length: 100000\r\n\r\n', ''],
    ['sends its body byte by byte', 'POST / HTTP/1.1\r\nhost: chat\r\ncontent-length: 100000\r\n\r\n', 'x'],
    ['does not read a large response', 'GET /large HTTP/1.1\r\nhost: chat\r\n\r\n', ''],
    [
      'asks for an unknown upgrade',
      'GET /nowhere HTTP/1.1\r\nhost: chat\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      '',
    ],
  ])('cuts off a client that %s', async (_what, words, more) => {
    for (let count = 0; count < 50; count += 1) open(words)
    trickle = setInterval(() => more !== '' && clients.forEach((client) => client.write(more)), 100)
    await areLeft(0, 50)
  })

  it('logs that a client was cut off, without the query of the URL', async () => {
    open('GET /large?secret HTTP/1.1\r\nhost: chat\r\n\r\n')
    await areLeft(0, 1)
    expect(said).toEqual([
      expect.objectContaining({
        level: 40,
        path: '/large',
        msg: 'cut off a client that did not send or read for a while',
      }),
    ])
  })

  it('sends the whole response to a slow client that keeps reading', async () => {
    open('GET /large HTTP/1.1\r\nhost: chat\r\n\r\n')
    const slow = open('GET /large HTTP/1.1\r\nhost: chat\r\nconnection: close\r\n\r\n')
    let size = 0
    let isHurried = false
    slow.on('data', (chunk: Buffer) => {
      size += chunk.length
      slow.pause()
      setTimeout(() => slow.resume(), isHurried ? 0 : 50)
    })
    // The other connection is closed, so more time than the timeout has passed.
    await areLeft(1, 2)
    expect(size).toBeLessThan(large.length)
    isHurried = true
    await once(slow, 'end')
    expect(size).toBeGreaterThan(large.length)
  })

  it('keeps an idle WebSocket, and a connection between two requests', async () => {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, reconnection: false })
    await once(socket as never, 'connect')
    const patient = open('GET / HTTP/1.1\r\nhost: chat\r\n\r\n')
    await once(patient, 'data')
    open('GET /large HTTP/1.1\r\nhost: chat\r\n\r\n')
    await areLeft(2, 3) // longer than the timeout
    expect(await socket.emitWithAck('ask')).toBe('still here')
    patient.write('GET / HTTP/1.1\r\nhost: chat\r\n\r\n')
    expect(String((await once(patient, 'data'))[0])).toContain('small')
    socket.disconnect()
  })
})
