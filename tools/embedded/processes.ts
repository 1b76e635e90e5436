import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'

export interface Command {
  /** What it is called when something has to be said about it. */
  name: string
  /** A JavaScript file and its arguments. */
  file: string
  args: string[]
  env: NodeJS.ProcessEnv
}

export interface Processes {
  /** Runs a command to its end. @throws when its exit code is not 0. */
  run(command: Command): Promise<void>
  /** Starts a command that is meant to go on. Returns a promise that rejects when it ends, unless it was told to. */
  start(command: Command): Promise<never>
  /** Asks all of them to stop and resolves when they are gone. Nothing can be started any more. */
  stop(): Promise<void>
}

/** A child that has not stopped by then is killed; it gives itself less (STOP_TIMEOUT_MS). */
const patienceMs = 7_000

// Ends the process when its parent is gone, however that went: nothing is left behind that holds a port.
const followTheParent = `data:text/javascript,${encodeURIComponent(
  `process.once('disconnect', () => process.kill(process.pid, 'SIGTERM')); process.channel?.unref()`,
)}`

/**
 * The processes under the launcher. Each has a process group of its own, so that Ctrl-C reaches the launcher alone and
 * it decides who stops when.
 * @param output where standard output goes; undefined: to the launcher's own.
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
      ended.catch(() => undefined) // whoever cares awaits it
      return ended
    },
    async stop() {
      isStopping = true
      await Promise.all(running.map(({ end }) => end()))
    },
  }
}
