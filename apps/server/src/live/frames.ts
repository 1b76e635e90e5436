import { networkSocket, packetsWaiting, type Connection } from './connection.js'

/**
 * Sends the same events to many connections for little CPU time: each event is encoded once for all of them, WebSocket
 * header included, and all events together are one write for each connection. Socket.IO's own broadcast runs through
 * three libraries for each connection, and writes the header and the text of each event apart.
 *
 * The order of a connection's packets stays: what engine.io still holds for it goes first.
 *
 * @param payloads JSON, one for each event
 */
export function sendToAll(connections: Connection[], event: string, payloads: string[]): void {
  if (connections.length === 0 || payloads.length === 0) return
  const packets = payloads.map((payload) => packetOf(event, payload))
  const frames = Buffer.concat(packets.map((packet) => frameOf(engineMessage + packet)))
  for (const connection of connections) {
    if (connection.readyState !== 'open') continue
    if (packetsWaiting(connection).length === 0) networkSocket(connection).write(frames)
    else for (const packet of packets) connection.write(packet)
  }
}

/** Engine.IO's mark of a packet that carries a message; `connection.write` adds it by itself. */
const engineMessage = '4'

/** Socket.IO's packet for an event with one argument, in the main namespace. */
const packetOf = (event: string, payload: string) => `2[${JSON.stringify(event)},${payload}]`

/** A WebSocket frame as servers send it (RFC 6455, section 5.2): text, in one piece, neither masked nor compressed. */
function frameOf(text: string): Buffer {
  const size = Buffer.byteLength(text)
  const headerSize = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerSize + size)
  frame[0] = 0x81
  if (headerSize === 2) frame[1] = size
  else if (headerSize === 4) {
    frame[1] = 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  frame.write(text, headerSize)
  return frame
}
