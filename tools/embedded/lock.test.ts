import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LockHeld, takeLock, type Holder } from './lock.js'

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const lockModule = new URL('./lock.ts', import.meta.url).href

describe('the lock', () => {
  let folder: string
  let file: string
  let children: ChildProcess[]

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chat-lock-'))
    file = join(folder, 'deep', 'lock')
    children = []
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true })
  })

  /** Another process that takes the lock on command, and reports the result. */
  async function rival(): Promise<{ process: ChildProcess; take: () => Promise<string> }> {
    const program = join(folder, `rival-${children.length}.mts`)
    await writeFile(
      program,
      `import { takeLock } from ${JSON.stringify(lockModule)}
       process.on('message', () => takeLock(${JSON.stringify(file)}, { note: 'a rival' }).then(() => process.send('taken'), (error) => process.send(error.name)))
       process.send('ready')`,
    )
    const child = fork(program, { execArgv: ['--import', tsx], cwd: fileURLToPath(new URL('.', import.meta.url)) })
    children.push(child)
    await once(child, 'message')
    return {
      process: child,
      async take() {
        const answer = once(child, 'message') as Promise<[string]>
        child.send('take')
        return (await answer)[0]
      },
    }
  }

  it('is refused while another process holds it, and names this process', async () => {
    const other = await rival()
    expect(await other.take()).toBe('taken')
    const refusal = await takeLock(file).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(LockHeld)
    expect((refusal as LockHeld).holder).toMatchObject({ pid: other.process.pid, note: 'a rival' })
    expect(Date.parse((refusal as LockHeld).holder.since)).not.toBeNaN()
  })

  it('can be taken again after it was released', async () => {
    const giveBack = await takeLock(file)
    await expect(takeLock(file)).rejects.toThrow(LockHeld)
    giveBack()
    ;(await takeLock(file))()
    expect(await readdir(join(folder, 'deep'))).toEqual([])
  })

  it('is taken over from a process that was killed', async () => {
    const other = await rival()
    await other.take()
    other.process.kill('SIGKILL')
    await once(other.process, 'exit')
    await takeLock(file)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid })
  })

  it('is taken over when a new process has the number of the ended one', async () => {
    const giveBack = await takeLock(file)
    giveBack()
    const alive: Holder = {
      pid: process.ppid,
      began: 'before the last boot',
      since: new Date(0).toISOString(),
      note: '',
    }
    await writeFile(file, JSON.stringify(alive))
    await takeLock(file)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid })
  })

  it('is taken over when its file is damaged', async () => {
    ;(await takeLock(file))()
    await writeFile(file, '{"pid":')
    await takeLock(file)
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid })
  })

  it('waits for a process that is about to release it', async () => {
    const other = await rival()
    await other.take()
    const waiting = takeLock(file, { patienceMs: 30_000 })
    other.process.kill()
    await waiting
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid })
  })

  it('goes to exactly one of several processes that find it stale at the same time', async () => {
    const dead = await rival()
    await dead.take()
    dead.process.kill('SIGKILL')
    await once(dead.process, 'exit')
    const rivals = await Promise.all([rival(), rival(), rival(), rival()])
    const answers = await Promise.all(rivals.map(({ take }) => take()))
    expect(answers.sort()).toEqual(['LockHeld', 'LockHeld', 'LockHeld', 'taken'])
  })
})
