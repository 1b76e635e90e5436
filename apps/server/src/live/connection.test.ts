import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Server, type Socket } from 'socket.io'
import { io as connectTo } from 'socket.io-client'
import { expect, it } from 'vitest'
import { createHttpServer } from '../platform/http-server.js'
import { createLog } from '../platform/log.js'
import { eventually } from '../test/eventually.js'
import { forgetHandshake } from './connection.js'

it('a connected socket does not keep its HTTP request in memory', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const http = createHttpServer(() => undefined, createLog({ name: 'test', level: 'silent' }))
  const io = new Server(http, { transports: ['websocket'] })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const requests: WeakRef<Socket['request']>[] = []
  io.on('connection', (socket) => {
    requests.push(new WeakRef(socket.request))
    forgetHandshake(socket)
    socket.on('ask', (answer: (text: string) => void) => answer('still connected'))
  })
  const client = connectTo(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, { transports: ['websocket'] })
  await once(client as never, 'connect')
  await eventually(() => {
    collectGarbage()
    expect(requests.map((request) => request.deref())).toEqual([undefined])
  })
  expect(await client.emitWithAck('ask')).toBe('still connected')
  client.disconnect()
  await io.close()
})
