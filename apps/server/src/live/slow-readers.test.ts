import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { register } from 'prom-client'
import { Server } from 'socket.io'
import { io as connectTo } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSlowReaders } from './slow-readers.js'
import { eventually } from '../test/eventually.js'
import { createLog } from '../platform/log.js'

describe('a client that does not read', () => {
  const http = createServer()
  const io = new Server(http, { transports: ['websocket'], pingTimeout: 60_000 })
  const said: object[] = []
  const log = createLog({ name: 'test', level: 'silent' })
  log.warn = (about: object) => void said.push(about)
  let port: number

  beforeAll(async () => {
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    port = (http.address() as AddressInfo).port
  })
  afterAll(() => io.close())

  /** Opens a WebSocket, joins the namespace, and then reads nothing, but still sends pongs. */
  async function joinAndSleep() {
    const arrived = once(io, 'connection')
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`,
    )
    await once(socket, 'data')
    const frame = (text: string) =>
      socket.write(Buffer.from([0x81, 0x80 + text.length, 0, 0, 0, 0, ...Buffer.from(text)]))
    frame('40')
    socket.pause()
    const pongs = setInterval(() => frame('3'), 100)
    socket.once('close', () => clearInterval(pongs))
    await arrived
    return socket
  }
  const connections = () => [...io.of('/').sockets.values()].map(({ conn }) => conn)
  /** Sends more than the kernels on both sides can buffer. */
  const flood = () => {
    for (let each = 0; each < 300; each += 1) io.emit('news', 'x'.repeat(100_000))
  }

  const cutOffs = async () => (await register.getSingleMetric('chat_slow_readers_total')?.get())?.values[0]?.value ?? 0

  it.each([
    ['more unread bytes than the limit', { bytesAtMost: 1_000_000 }, 'bytes'],
    ['unread data for longer than the limit', { bytesAtMost: Infinity, idleAtMostMs: 1_500 }, 'idleMs'],
  ])('is disconnected and logged when it has %s, and other clients stay connected', async (_how, limits, word) => {
    const reader = connectTo(`http://127.0.0.1:${port}`, { transports: ['websocket'] })
    await once(reader as never, 'connect')
    let got = 0
    reader.on('news', () => (got += 1))
    const sleeper = await joinAndSleep()
    expect(connections()).toHaveLength(2)
    const slowReaders = createSlowReaders({ log, ...limits })
    said.length = 0
    const counted = await cutOffs()
    slowReaders.cut(connections())
    expect(said).toEqual([])

    flood()
    await eventually(() => expect(got).toBe(300))
    await eventually(() => {
      slowReaders.cut(connections())
      expect(connections()).toHaveLength(1)
    })
    expect(said).toEqual([expect.objectContaining({ [word]: expect.any(Number) as number })])
    expect(await cutOffs()).toBe(counted + 1)
    expect(reader.connected).toBe(true)
    reader.disconnect()
    sleeper.destroy()
  })
})
