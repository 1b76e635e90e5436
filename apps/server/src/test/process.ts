import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../..', import.meta.url))

export interface Running {
  child: ChildProcess
  /** The whole output so far. */
  output(): string
  /** Resolves with the first log line that has this message. */
  said(message: string): Promise<Record<string, unknown>>
  /** Resolves with the exit code. */
  exited: Promise<number | null>
}

/** Runs a program of the apps from its source in a separate process, with only this environment. */
export function run(program: string, args: string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', `${root}/${program}`, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    cwd: root,
  })
  let text = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const listen of listeners) listen()
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    output: () => text,
    exited,
    said: (message) =>
      new Promise((resolve, reject) => {
        const look = () => {
          for (const line of text.split('\n')) {
            if (!line.startsWith('{')) continue
            const parsed = parseLine(line)
            if (parsed?.msg === message) resolve(parsed)
          }
        }
        listeners.add(look)
        look()
        void exited.then(() => reject(new Error(`exited without saying "${message}":\n${text}`)))
      }),
  }
}

/** Undefined while the line is not complete. */
function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
