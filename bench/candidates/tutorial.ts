/**
 * What Socket.IO's tutorial guarantees: a message is inserted into SQLite before it is told and acknowledged, and one that is
 * sent again is stored once. SQLite keeps a write-ahead log and waits for the disk with each commit.
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Server } from 'socket.io'

interface Message {
  roomId: string
  id: string
  body: string
}
interface Sqlite {
  pragma(setting: string): void
  exec(sql: string): void
  prepare(sql: string): {
    run(...values: unknown[]): { lastInsertRowid: number }
    all(...values: unknown[]): unknown[]
  }
}
// Its types are not there before the benchmark is installed.
const Database = createRequire(import.meta.url)('better-sqlite3') as new (file: string) => Sqlite

const db = new Database(process.env.SQLITE_FILE ?? '')
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec('create table messages (seq integer primary key autoincrement, id text unique, room text, body text)')
db.exec('create index messages_room on messages (room, seq)')
const insert = db.prepare('insert into messages (id, room, body) values (?, ?, ?)')
const page = db.prepare('select seq, id, body from messages where room = ? and seq > ? order by seq limit ?')

const http = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  const [, roomId] = /^\/api\/rooms\/([^/]+)\/messages$/.exec(pathname) ?? []
  if (roomId === undefined) return response.end()
  const messages = page.all(roomId, Number(searchParams.get('after')), Number(searchParams.get('limit')))
  response.end(JSON.stringify({ messages }))
})
const io = new Server(http, { serveClient: false, transports: ['websocket'] })
io.on('connection', (socket) => {
  void socket.join(String(socket.handshake.query.rooms).split(','))
  socket.on('message:post', (message: Message, acknowledge: (reply: object) => void) => {
    const { roomId, id, body } = message
    const seq = insert.run(id, roomId, body).lastInsertRowid
    io.to(roomId).emit('message', { ...message, seq })
    acknowledge({ data: { seq } })
  })
})
http.listen(Number(process.env.PORT), '127.0.0.1')
