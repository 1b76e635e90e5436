import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPerson, type Person } from '../test/chat.js'
import { freshDatabase, type FreshDatabase } from '../test/database.js'
import { run, type Running } from '../test/process.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))

// The test reads memory sizes from /proc, which only Linux has.
describe.skipIf(process.platform !== 'linux')('a server with the memory that the chart gives it', () => {
  let database: FreshDatabase
  let data: string
  let server: Running
  let url: string
  let limit: number
  beforeAll(async () => {
    const values = await readFile(join(root, '.helm/values.yaml'), 'utf8')
    limit =
      Number(/^server:\n(?: .*\n|\n)*? {2}resources:\n(?: .*\n)*? {4}limits: \{memory: (\d+)Mi\}/m.exec(values)?.[1]) *
      1024 *
      1024
    database = await freshDatabase()
    data = await mkdtemp(join(tmpdir(), 'chat-test-'))
    const secret = 'a secret for tests only'
    const env = {
      DATABASE_URL: database.url,
      COOKIE_SECRET: secret,
      DATA_DIR: data,
      PORT: '0',
      METRICS_PORT: '0',
      LIMIT_POST: '1000000/10',
    }
    server = run('apps/server/src/main.ts', [], env)
    url = ((await server.said('listening')) as { url: string }).url
  })
  afterAll(async () => {
    server.child.kill('SIGTERM')
    await server.exited
    await database.close()
    await rm(data, { recursive: true })
  })

  it('stays below its limit whatever picture is uploaded, and serves other people meanwhile', async () => {
    const picture = (edge: number) =>
      sharp({ create: { width: edge, height: edge, channels: 4, background: { r: 0, g: 128, b: 128, alpha: 0.5 } } })
    // Four channels of 16 bits, interlaced: all pixels are in memory at once, with 8 bytes each.
    const heavy = (edge: number) =>
      picture(edge).toColourspace('rgb16').png({ progressive: true, compressionLevel: 9 }).toBuffer()
    const pictures: [body: Buffer, status: number][] = [
      [await heavy(6_300), 413],
      [await heavy(4_890), 413],
      [await heavy(3_900), 200],
      [await picture(4_890).flatten().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer(), 200],
    ]
    const ben = await newPerson(url, 'Ben')
    const socket = await ben.connect()
    const room = await ben.openRoom()

    const stop = new AbortController()
    const peak = watchMemory(server.child.pid as number, stop.signal)
    const uploads = Promise.all(
      pictures.map(async ([body]) => (await upload(await newPerson(url), body)).status),
    ).finally(() => stop.abort())
    while (!stop.signal.aborted) expect(await ben.post(socket, room.id, randomUUID())).toHaveProperty('data')
    expect(await peak).toBeLessThan(limit)
    expect(await uploads).toEqual(pictures.map(([, status]) => status))
    ben.leave()
  }, 400_000)
})

/** Resolves with the largest memory size of a process and its children together, without memory that the kernel can reclaim. */
async function watchMemory(pid: number, signal: AbortSignal): Promise<number> {
  let peak = 0
  while (!signal.aborted) {
    const processes = [pid, ...(await childrenOf(pid))]
    const sizes = await Promise.all(processes.map(memoryOf))
    peak = Math.max(
      peak,
      sizes.reduce((sum, size) => sum + size),
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return peak
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

/** Returns zero for a process that has ended meanwhile. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

function upload(person: Person, body: Buffer) {
  return person.ask('PUT', '/api/me/avatar', body, { 'content-type': 'image/png' })
}
