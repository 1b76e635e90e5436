/** The library ws and nothing else: each message is framed once, and the same bytes go to everybody. Stores nothing. */
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'

const rooms = new Map<string, Set<Duplex>>()
const http = createServer((_request, response) => response.end())
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket, request) => {
  const ids = new URL(request.url ?? '', 'http://localhost').searchParams.get('rooms')?.split(',') ?? []
  const wire = request.socket
  for (const id of ids) rooms.set(id, (rooms.get(id) ?? new Set()).add(wire))
  socket.on('close', () => ids.forEach((id) => rooms.get(id)?.delete(wire)))
  socket.on('message', (data: Buffer) => {
    const { n, ...message } = JSON.parse(data.toString()) as { n: number; roomId: string }
    const frame = frameOf(JSON.stringify(message))
    for (const wire of rooms.get(message.roomId) ?? []) wire.write(frame)
    socket.send(`{"ack":${n}}`)
  })
})
http.listen(Number(process.env.PORT), '127.0.0.1')

/** A whole text frame, unmasked as a server's are, of less than 64 KB. */
function frameOf(text: string): Buffer {
  const body = Buffer.from(text)
  const size = body.length < 126 ? [body.length] : [126, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from([0x81, ...size]), body])
}
