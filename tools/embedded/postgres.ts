import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface EmbeddedPostgres {
  /**
   * `postgresql://…`, on 127.0.0.1. Resolves when the database is ready, without a time limit.
   * Rejects if another process uses the folder, or the database cannot be created or opened.
   */
  url: Promise<string>
  pid: number
  /** Rejects if the process ends before `stop` is called. */
  failed: Promise<never>
  /** Closes the database, and resolves when its process has ended. */
  stop(): Promise<void>
}

interface Options {
  /** Called regularly with a message while the database is not ready. */
  say?: (text: string) => void
  sayEveryMs?: number
}

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/**
 * Starts the embedded PostgreSQL on a folder, and creates the folder if it is missing. It accepts many connections, with the
 * restrictions of a transaction pooler (see pooler.ts).
 */
export function startPostgres(folder: string, { say, sayEveryMs = 10_000 }: Options = {}): EmbeddedPostgres {
  const child = fork(fileURLToPath(new URL('./postgres-process.ts', import.meta.url)), [folder], {
    execArgv: ['--import', tsx],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text))

  let isStopping = false
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const failed = exited.then(async ([code, signal]): Promise<never> => {
    if (isStopping) return new Promise(() => undefined)
    // The last output may arrive after the end of the process. A helper of tsx may keep the pipe open a little longer.
    await Promise.race([once(child, 'close'), sleep(1_000)])
    throw new Error(complaint.trim() || `The embedded PostgreSQL ended by itself (${signal ?? `exit code ${code}`}).`)
  })
  failed.catch(() => undefined) // callers await it if they need it

  const begun = performance.now()
  const waiting = setInterval(() => {
    const seconds = Math.round((performance.now() - begun) / 1000)
    say?.(
      `The database is still being ${existsSync(folder) ? 'opened' : 'created'} (${seconds} s). On a slow machine this takes minutes.`,
    )
  }, sayEveryMs)
  const url = Promise.race([once(child, 'message') as Promise<[{ url: string }]>, failed]).then(
    ([message]) => message.url,
  )
  void url.catch(() => undefined).finally(() => clearInterval(waiting))

  return {
    url,
    pid: child.pid ?? 0,
    failed,
    async stop() {
      isStopping = true
      clearInterval(waiting)
      if (child.connected) child.disconnect()
      // This is safe because of the journal: the next start finds all committed data.
      const lastResort = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(lastResort)
    },
  }
}
