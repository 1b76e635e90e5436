import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { pathToFileURL, fileURLToPath } from 'node:url'

export interface EmbeddedPostgres {
  /** `postgresql://…`, on 127.0.0.1. */
  url: string
  pid: number
  /** Rejects if it ends without having been told to. */
  failed: Promise<never>
  /** Closes the database and resolves when its process is gone. */
  stop(): Promise<void>
}

/** Long for a first start on a slow disk, far from it for anything else. */
const patienceMs = 60_000

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/**
 * Starts the embedded PostgreSQL on a folder, which is created when it is missing. Many connections may be opened, and
 * what a transaction pooler forbids is forbidden here too (see pooler.ts).
 * @throws when another process has the folder, or the database cannot be opened.
 */
export async function startPostgres(folder: string, port = 0): Promise<EmbeddedPostgres> {
  const child = fork(fileURLToPath(new URL('./postgres-process.ts', import.meta.url)), [folder, String(port)], {
    execArgv: ['--import', tsx],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text))

  let isStopping = false
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const failed = exited.then(([code, signal]): Promise<never> => {
    if (isStopping) return new Promise(() => undefined)
    throw new Error(`The embedded PostgreSQL ended by itself (${signal ?? `exit code ${code}`}). ${complaint.trim()}`)
  })
  failed.catch(() => undefined) // whoever cares awaits it

  const slow = AbortSignal.timeout(patienceMs)
  const [{ url }] = (await Promise.race([once(child, 'message', { signal: slow }), failed]).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw slow.aborted ? new Error(`The embedded PostgreSQL was not ready within ${patienceMs / 1000} s. ${complaint.trim()}`) : error
  })) as [{ url: string }]

  return {
    url,
    pid: child.pid ?? 0,
    failed,
    async stop() {
      isStopping = true
      if (child.connected) child.disconnect()
      // The journal makes this safe: what was committed is found again at the next start.
      const lastResort = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(lastResort)
    },
  }
}
