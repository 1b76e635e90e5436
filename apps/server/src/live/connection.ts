import type { Socket as NetworkSocket } from 'node:net'
import type { Socket } from 'socket.io'

/**
 * Where this folder uses private fields of engine.io and ws, in one place. frames.test.ts, slow-readers.test.ts and
 * sockets.test.ts fail when an update of the libraries changes them.
 */

export type Connection = Socket['conn']

interface Insides {
  /** Packets that engine.io has not given to the network socket yet. */
  writeBuffer: { data?: { length: number } }[]
  transport: { socket: { _socket: NetworkSocket } }
}

const insidesOf = (connection: Connection) => connection as unknown as Insides

export const packetsWaiting = (connection: Connection) => insidesOf(connection).writeBuffer
export const networkSocket = (connection: Connection) => insidesOf(connection).transport.socket._socket

/**
 * Drops what a finished handshake leaves behind: the HTTP request with its headers and its session. That is more memory
 * than the rest of an idle connection.
 */
export function forgetHandshake(socket: Socket): void {
  Object.assign(socket.conn, { request: undefined })
  Object.assign(socket, { handshake: undefined })
}
