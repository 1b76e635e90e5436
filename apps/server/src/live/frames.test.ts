import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket as NetworkSocket } from 'node:net'
import { Server, type Socket } from 'socket.io'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { networkSocket, packetsWaiting } from './connection.js'
import { sendToAll } from './frames.js'

describe('frames for many connections', () => {
  const http = createServer()
  const io = new Server(http, { transports: ['websocket'] })
  let client: NetworkSocket
  let socket: Socket
  let bytes = Buffer.alloc(0)

  beforeAll(async () => {
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const arrived = once(io, 'connection')
    client = connect((http.address() as AddressInfo).port, '127.0.0.1')
    client.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`,
    )
    await once(client, 'data')
    client.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, ...Buffer.from('40')]))
    ;[socket] = (await arrived) as [Socket]
    client.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])))
    await sent(() => socket.emit('begin'), '"begin"')
  })
  afterAll(async () => {
    client.destroy()
    await io.close()
  })

  /** All bytes that arrive because of `send`, up to the end of the packet that contains `last`. */
  async function sent(send: () => void, last: string): Promise<Buffer> {
    bytes = Buffer.alloc(0)
    send()
    while (!bytes.includes(last) || !bytes.subarray(-1).equals(Buffer.from(']'))) await once(client, 'data')
    return bytes
  }

  // Lengths around those at which a WebSocket header grows.
  it.each([40, 125, 126, 65_535, 65_536, 200_000])(
    'have the same bytes as those of Socket.IO, for a packet of %i bytes',
    async (size) => {
      const envelope = '42["news",{"text":"","last":"last"}]'
      const news = { text: 'x'.repeat(size - envelope.length), last: 'last' }
      const expected = await sent(() => socket.emit('news', news), '"last"')
      expect(await sent(() => sendToAll([socket.conn], 'news', [JSON.stringify(news)]), '"last"')).toEqual(expected)
    },
  )

  it('measure their length in bytes, not in characters', async () => {
    const expected = await sent(() => socket.emit('news', 'ä€😀'.repeat(20), 'last'), '"last"')
    const payloads = [`${JSON.stringify('ä€😀'.repeat(20))},"last"`]
    expect(await sent(() => sendToAll([socket.conn], 'news', payloads), '"last"')).toEqual(expected)
  })

  it('need one write for each connection, for any number of events', async () => {
    const expected = await sent(
      () => ['1', '2', '"last"'].forEach((each) => socket.emit('news', JSON.parse(each))),
      'last',
    )
    const { bytesWritten } = networkSocket(socket.conn)
    let writes = 0
    const network = networkSocket(socket.conn)
    const write = network.write.bind(network)
    network.write = ((...all: Parameters<typeof write>) => ((writes += 1), write(...all))) as typeof network.write
    expect(await sent(() => sendToAll([socket.conn], 'news', ['1', '2', '"last"']), 'last')).toEqual(expected)
    network.write = write
    expect([writes, network.bytesWritten - bytesWritten]).toEqual([1, expected.length])
  })

  it('keep the order of packets, also when engine.io still has earlier packets', async () => {
    const arrived = await sent(() => {
      socket.emit('news', 1)
      // engine.io keeps this packet until the network has taken the first one.
      socket.emit('news', 2)
      expect(packetsWaiting(socket.conn)).toHaveLength(1)
      sendToAll([socket.conn], 'news', ['3', '4'])
      socket.emit('news', 'last')
    }, 'last')
    expect([...arrived.toString('latin1').matchAll(/\["news",("?\w+"?)\]/g)].map(([, each]) => each)).toEqual([
      '1',
      '2',
      '3',
      '4',
      '"last"',
    ])
  })
})
