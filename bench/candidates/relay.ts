/**
 * The candidate of `npm run bench -- --teeth`: sound, but for the fault that FAULT names. It keeps messages in memory, which
 * will do for the generator to read them back.
 */
import { createServer } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Fault } from '../teeth.js'

interface Message {
  roomId: string
  id: string
  body: string
  seq: number
}

const fault = process.env.FAULT as Fault | 'none'
const faultAt = 40
const lateMs = 150
const stallMs = 1_500

const stored = new Map<string, Message[]>()
const readers: { rooms: string[]; take: (message: Message) => void }[] = []

const http = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  const [, roomId = ''] = /^\/api\/rooms\/([^/]+)\/messages$/.exec(pathname) ?? []
  const messages = (stored.get(roomId) ?? []).filter(({ seq }) => seq > Number(searchParams.get('after')))
  response.end(JSON.stringify({ messages: messages.slice(0, 200) }))
})
new WebSocketServer({ server: http }).on('connection', (socket, request) => {
  const rooms = new URL(request.url ?? '', 'http://localhost').searchParams.get('rooms')?.split(',') ?? []
  // The first reader of the room that is posted to is the one that suffers.
  const isHit = rooms.includes('r0') && !readers.some(({ rooms }) => rooms.includes('r0'))
  readers.push({ rooms, take: isHit ? takeBadly(socket) : (message) => tell(socket, message) })
  let count = 0
  socket.on('message', (data: Buffer) => {
    const { n, ...posted } = JSON.parse(data.toString()) as Message & { n: number }
    const room = stored.get(posted.roomId) ?? []
    stored.set(posted.roomId, room)
    const message = { ...posted, seq: room.length + 1 }
    count += 1
    room.push(fault === 'ack' && count === faultAt ? { ...message, id: 'nobody’s' } : message)
    for (const { rooms, take } of readers) if (rooms.includes(message.roomId)) take(message)
    socket.send(`{"ack":${n}}`)
  })
})
http.listen(Number(process.env.PORT), '127.0.0.1')

function tell(socket: WebSocket, message: Message) {
  socket.send(JSON.stringify(message))
}

function takeBadly(socket: WebSocket) {
  let held: Message | undefined
  let waiting: Message[] | undefined
  return (message: Message) => {
    const isHit = message.seq === faultAt
    if (fault === 'late') return void setTimeout(() => tell(socket, message), lateMs)
    if (isHit && fault === 'stall') {
      waiting = []
      setTimeout(() => {
        waiting?.forEach((each) => tell(socket, each))
        waiting = undefined
      }, stallMs)
    }
    if (waiting !== undefined) return void waiting.push(message)
    if (isHit && fault === 'lose') return
    if (isHit && fault === 'swap') return void (held = message)
    tell(socket, isHit && fault === 'body' ? { ...message, body: `${message.body}.` } : message)
    if (isHit && fault === 'double') tell(socket, message)
    if (isHit && fault === 'room') tell(socket, { ...message, roomId: 'r1' })
    if (held !== undefined) tell(socket, held)
    held = undefined
  }
}
