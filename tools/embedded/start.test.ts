import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const launcher = fileURLToPath(new URL('./start.ts', import.meta.url))

interface Launch {
  process: ChildProcess
  /** All output so far. */
  output: () => string
  /** The URL of the chat; resolves when the chat says that it is ready. */
  address: Promise<string>
  exitCode: Promise<number | null>
}

describe('npm start', { timeout: 120_000 }, () => {
  let folder: string
  const launches: Launch[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chat-start-'))
  })
  afterEach(async () => {
    for (const launch of launches.splice(0)) {
      launch.process.kill()
      await launch.exitCode
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  function launch(env: NodeJS.ProcessEnv = {}, [file = process.execPath, ...args]: string[] = []): Launch {
    const { PATH, HOME } = process.env
    const child = spawn(file, [...args, ...(args.length > 0 ? [process.execPath] : []), '--import', 'tsx', launcher], {
      env: { PATH, HOME, DATA_DIR: folder, PORT: '0', ...env },
    })
    let output = ''
    const exitCode = once(child, 'close').then(([code]) => code as number | null)
    const address = new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
          const [, found] = /ready at (\S+)/.exec(output) ?? []
          if (found !== undefined) resolve(found)
        })
      }
      void exitCode.then(() => reject(new Error(`The launcher has ended:\n${output}`)))
    })
    address.catch(() => undefined)
    const launched = { process: child, output: () => output, address, exitCode }
    launches.push(launched)
    return launched
  }

  async function signIn(address: string, email: string, password: string): Promise<Response> {
    const headers = { origin: address, 'content-type': 'application/json' }
    return fetch(`${address}/api/session`, { method: 'POST', headers, body: JSON.stringify({ email, password }) })
  }

  it('prints the URL and the demo accounts, stops on a signal, and keeps all data for the next start', async () => {
    const first = launch()
    const address = await first.address
    expect(await (await fetch(address)).text()).toContain('<title>Chat</title>')
    expect((await fetch(`${address}/mailbox`)).status).toBe(200)

    const people = [...first.output().matchAll(/^ +(\S+@\S+) +password: (.+)$/gm)]
    expect(people).toHaveLength(3)
    for (const [, email = '', password = ''] of people)
      expect((await signIn(address, email, password)).status).toBe(201)

    const cookie =
      (await signIn(address, people[0]?.[1] ?? '', people[0]?.[2] ?? '')).headers.getSetCookie()[0]?.split(';')[0] ?? ''
    const room = { name: 'Kept for the next start', kind: 'public' }
    const headers = { origin: address, cookie, 'content-type': 'application/json' }
    expect((await fetch(`${address}/api/rooms`, { method: 'POST', headers, body: JSON.stringify(room) })).status).toBe(
      201,
    )

    first.process.kill('SIGINT')
    expect(await first.exitCode).toBe(0)
    await expect(fetch(address)).rejects.toThrow()

    const second = launch()
    const rooms = await fetch(`${await second.address}/api/rooms`, { headers: { cookie } })
    expect(await rooms.json()).toMatchObject({
      rooms: expect.arrayContaining([expect.objectContaining(room)]) as unknown,
    })
    expect((await stat(join(folder, 'cookie-secret'))).mode & 0o777).toBe(0o600)
  })

  it('names the running process when it is started a second time', async () => {
    const first = launch()
    await first.address
    const second = launch()
    expect(await second.exitCode).toBe(1)
    expect(second.output()).toMatch(new RegExp(`running already: process ${first.process.pid}, since .+, at http://`))
  })

  it('leaves no process behind when it is killed', async () => {
    const first = launch()
    const address = await first.address
    first.process.kill('SIGKILL')
    await expect.poll(() => fetch(address).catch(() => 'nobody is there'), { timeout: 10_000 }).toBe('nobody is there')
    const second = launch({ PORT: new URL(address).port })
    expect(await second.address).toBe(address)
  })

  it('ends when the server ends', async () => {
    const first = launch()
    await first.address
    const [, pid = ''] = /"pid":(\d+),[^\n]*"name":"server"/.exec(first.output()) ?? []
    process.kill(Number(pid), 'SIGKILL')
    expect(await first.exitCode).toBe(1)
    expect(first.output()).toContain('The server has failed (SIGKILL)')
  })

  it('says that the port is in use, and leaves no lock', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const refused = launch({ PORT: String(port) })
    expect(await refused.exitCode).toBe(1)
    expect(refused.output()).toContain(`Port ${port} is in use by another program.`)
    await expect(readFile(join(folder, 'lock'))).rejects.toThrow('ENOENT')
    other.close()
  })

  it('says that it cannot write to its folder if this is a file', async () => {
    const refused = launch({ DATA_DIR: launcher })
    expect(await refused.exitCode).toBe(1)
    expect(refused.output()).toBe(
      `\nChat cannot write to the folder ${launcher}. Give yourself write permission. Or set DATA_DIR to another folder.\n`,
    )
  })

  // Each test mounts a disk that only its own process sees.
  describe.runIf(spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0)(
    'on a disk',
    () => {
      const onDisk = (options: string) => [
        'unshare',
        '-rm',
        'sh',
        '-c',
        `mount -t tmpfs -o ${options} none ${folder}; exec "$0" "$@"`,
      ]

      it('that is read-only, asks for write permission', async () => {
        const refused = launch({}, onDisk('ro'))
        expect(await refused.exitCode).toBe(1)
        expect(refused.output()).toBe(
          `\nChat cannot write to the folder ${folder}. Give yourself write permission. Or set DATA_DIR to another folder.\n`,
        )
      })

      it('that fills up while the chat runs, says so, and continues when there is space again', async () => {
        const running = launch({ LIMIT_SIGN_IN: '1000/1' }, onDisk('size=110m'))
        const address = await running.address
        const filling = `/proc/${running.process.pid}/root${folder}/filling`
        const { bavail, bsize } = await statfs(dirname(filling))
        await writeFile(filling, Buffer.alloc(bavail * bsize))
        const status = async () => (await signIn(address, 'anna@example.com', 'anna loves helm')).status
        await expect.poll(status, { timeout: 60_000 }).toBe(503)
        await expect.poll(running.output).toContain('The disk of PostgreSQL is full: free some space')
        expect(running.output()).not.toMatch(/^ +at /m)
        await rm(filling)
        await expect.poll(status, { timeout: 60_000 }).toBe(201)
      })

      it('that is too small, says how much space it needs', async () => {
        const refused = launch({}, onDisk('size=20m'))
        expect(await refused.exitCode).toBe(1)
        expect(refused.output()).toBe(
          `\nThe disk is full: ${folder} has 20 MB left, and Chat needs 64 MB. Free some space. Or set DATA_DIR to another folder.\n`,
        )
      })
    },
  )

  it.each([
    [{ NODE_ENV: 'production' }, 'the embedded database is for development only'],
    [{ PORT: 'eighty' }, 'PORT must be a number from 0 to 65535, not "eighty"'],
    [{ S3_ENDPOINT: 'localhost' }, 'S3_SECRET_KEY is missing. Set it too, because S3_ENDPOINT is set'],
    [{ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, 'The migration has failed'],
  ])('refuses to start with %o', async (env, reason) => {
    const refused = launch(env)
    expect(await refused.exitCode).toBe(1)
    expect(refused.output()).toContain(reason)
  })
})
