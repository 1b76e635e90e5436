import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'

/** A TCP proxy in front of a real service, which can cut, freeze or refuse connections. */
export interface Proxy {
  port: number
  /** Number of connections accepted so far, and number of sockets that are open now (two per connection). */
  taken(): number
  open(): number
  /** Closes every connection. New connections work. */
  cut(): void
  /** Passes on no more data and closes nothing, as if the other side hung. */
  freeze(): void
  /** Closes every connection and accepts no new ones. */
  refuse(): Promise<void>
  /** Works again on the same port. Frozen connections are closed. */
  mend(): Promise<void>
  close(): Promise<void>
}

export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const open = new Set<Socket>()
  let isFrozen = false
  let taken = 0

  const server = createServer((near) => {
    taken += 1
    const far = connect(target)
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (data) => far.write(data))
    far.on('data', (data) => near.write(data))
    if (isFrozen) freezeAll()
  })
  const freezeAll = () => open.forEach((socket) => socket.pause())
  const cut = () => open.forEach((socket) => socket.destroy())
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo

  const refuse = async () => {
    const closed = server.listening ? once(server, 'close') : undefined
    server.close()
    cut()
    await closed
  }
  return {
    port,
    taken: () => taken,
    open: () => open.size,
    cut,
    freeze() {
      isFrozen = true
      freezeAll()
    },
    refuse,
    async mend() {
      isFrozen = false
      cut()
      if (!server.listening) await listen(port)
    },
    close: refuse,
  }
}
