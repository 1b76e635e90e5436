import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { idsOf } from './programs.js'

export interface Daemon {
  name: string
  /** A program and its arguments. */
  command: string[]
  env?: NodeJS.ProcessEnv
  /** The user it runs as, if this process is root. */
  user?: string | undefined
  /** The signal that stops it. Default: SIGTERM. */
  stopSignal?: NodeJS.Signals
  /** Checks whether it answers; called until the result is true. An error counts as false. */
  isReady: () => Promise<boolean>
}

export interface Running {
  pid: number
  /** Stops it, and resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface Daemons {
  /** A temporary folder; `stop` removes it. */
  scratch: string
  /** Creates a folder in it, owned by `user` if this process is root. */
  folder(name: string, user?: string): string
  /** Starts a program, and resolves when it is ready. @throws with the end of its log if it does not get ready. */
  start(daemon: Daemon): Promise<Running>
  /** Stops all programs, the newest first, and removes the temporary folder. */
  stop(): Promise<void>
}

/** How long to wait until a program is ready. RabbitMQ on two busy cores needs 30 s. */
const patienceMs = 120_000

/**
 * Long-running programs that stop when this process ends for any reason. A second process, the reaper, reads from a pipe.
 * When the pipe closes, the reaper stops the programs and removes their folder.
 */
export function createDaemons(): Daemons {
  const scratch = mkdtempSync(join(tmpdir(), 'chat-services-'))
  chmodSync(scratch, 0o711) // so that other users can reach their own folder in it
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const reaper = spawn(
    process.execPath,
    ['--import', tsx, fileURLToPath(new URL('./reaper.ts', import.meta.url)), scratch],
    {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    },
  )
  reaper.unref()
  const hold = reaper.stdin as Socket
  hold.unref()

  return {
    scratch,

    folder(name, user) {
      const path = join(scratch, name)
      mkdirSync(path, { mode: 0o700 })
      const ids = idsOf(user)
      if (ids !== undefined) chownSync(path, ids.uid, ids.gid)
      return path
    },

    async start({ name, command: [program = '', ...args], env, user, stopSignal = 'SIGTERM', isReady }) {
      const logFile = join(scratch, `${name}.log`)
      const log = openSync(logFile, 'a')
      const child = spawn(program, args, {
        env: env ?? process.env,
        stdio: ['ignore', log, log],
        detached: true,
        cwd: scratch,
        ...idsOf(user),
      })
      const ended = hasEnded(child)
      const { pid = 0 } = child
      if (pid !== 0) hold.write(`${pid} ${stopSignal}\n`)
      void ended.then(() => hold.writable && hold.write(`${pid} gone\n`))
      child.unref()

      const deadline = Date.now() + patienceMs
      while (!(await isReady().catch(() => false))) {
        const end = await Promise.race([ended, sleep(100)])
        if (end === undefined && Date.now() < deadline) continue
        const tail = readFileSync(logFile, 'utf8').split('\n').slice(-30).join('\n')
        throw new Error(`${name} ${end ?? `was not ready within ${patienceMs / 1000} s`}. The end of its log:\n${tail}`)
      }
      return {
        pid,
        async stop(signal = stopSignal) {
          child.ref()
          child.kill(signal)
          await ended
        },
      }
    },

    async stop() {
      if (reaper.exitCode !== null) return
      reaper.ref()
      hold.end()
      await once(reaper, 'exit')
    },
  }
}

async function hasEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${error.message})`))
    child.once('exit', (code, signal) => resolve(`ended (${signal ?? `exit code ${code}`})`))
  })
}

/** Connects, sends a text, and returns whether the answer begins as expected. */
export async function answers(port: number, say: Buffer | string, expected: string): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    socket.write(say)
    const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(2_000) })) as [Buffer]
    return answer.toString('latin1').startsWith(expected)
  } finally {
    socket.destroy()
  }
}
