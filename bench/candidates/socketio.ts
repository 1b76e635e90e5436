/** A plain Socket.IO broadcaster, which stores nothing. A connection names its rooms in its address. */
import { createServer } from 'node:http'
import { Server } from 'socket.io'

interface Message {
  roomId: string
  id: string
  body: string
}

const http = createServer((_request, response) => response.end())
const io = new Server(http, { serveClient: false, transports: ['websocket'] })
io.on('connection', (socket) => {
  void socket.join(String(socket.handshake.query.rooms).split(','))
  socket.on('message:post', (message: Message, acknowledge: (reply: object) => void) => {
    io.to(message.roomId).emit('message', message)
    acknowledge({ data: {} })
  })
})
http.listen(Number(process.env.PORT), '127.0.0.1')
