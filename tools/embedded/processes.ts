import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'

export interface Command {
  /** The name in messages. */
  name: string
  /** A JavaScript file and its arguments. */
  file: string
  args: string[]
  env: NodeJS.ProcessEnv
}

export interface Processes {
  /** Runs a command and waits for its end. @throws if its exit code is not 0. */
  run(command: Command): Promise<void>
  /** Starts a command that keeps running. Returns a promise that rejects if it ends before `stop` is called. */
  start(command: Command): Promise<never>
  /** Stops all processes, and resolves when they have ended. After this, no process can be started. */
  stop(): Promise<void>
}

/** A child that has not stopped after this time is killed. Its own limit is shorter (STOP_TIMEOUT_MS). */
const patienceMs = 7_000

// Ends the process when its parent has ended for any reason, so that no process is left that uses a port.
const followTheParent = `data:text/javascript,${encodeURIComponent(
  `process.once('disconnect', () => process.kill(process.pid, 'SIGTERM')); process.channel?.unref()`,
)}`

/**
 * The processes that the launcher starts. Each has its own process group, so that Ctrl-C signals only the launcher, which
 * then stops the processes in the right order.
 * @param output receives their standard output; undefined: the launcher's standard output.
 */
export function createProcesses(output: Writable | undefined): Processes {
  const running: { end: () => Promise<void> }[] = []
  let isStopping = false

  function begin({ name, file, args, env }: Command): Promise<void> {
    if (isStopping) return new Promise(() => undefined)
    const child = fork(file, args, {
      env,
      execArgv: ['--import', followTheParent],
      stdio: ['ignore', output === undefined ? 'inherit' : 'pipe', 'inherit', 'ipc'],
      detached: true,
    })
    if (output !== undefined) child.stdout?.pipe(output, { end: false })
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    const entry = {
      end: async () => {
        child.kill('SIGTERM')
        const lastResort = setTimeout(() => child.kill('SIGKILL'), patienceMs)
        await exited
        clearTimeout(lastResort)
      },
    }
    running.push(entry)
    return exited.then(([code, signal]) => {
      running.splice(running.indexOf(entry), 1)
      if (isStopping) return new Promise(() => undefined)
      if (code !== 0) throw new Error(`The ${name} has failed (${signal ?? `exit code ${code}`}).`)
    })
  }

  return {
    run: begin,
    start(command) {
      const ended = begin(command).then((): never => {
        throw new Error(`The ${command.name} has ended.`)
      })
      ended.catch(() => undefined) // callers await it if they need it
      return ended
    },
    async stop() {
      isStopping = true
      await Promise.all(running.map(({ end }) => end()))
    },
  }
}
