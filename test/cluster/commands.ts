import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

interface RunOptions {
  /** The text on its standard input. */
  input?: string
  cwd?: string
  env?: NodeJS.ProcessEnv
  timeoutMs?: number
}

/** Runs a program until it ends. @throws with the command and its whole output when it fails or takes too long. */
export function run(
  program: string,
  args: string[],
  { input, cwd = root, env = process.env, timeoutMs = 120_000 }: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { cwd, env, timeout: timeoutMs, maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr })
        const how =
          error.killed === true ? `took longer than ${timeoutMs / 1000} s` : `failed (${error.code ?? error.signal})`
        reject(new Error(`${program} ${args.slice(0, 6).join(' ')} ${how}:\n${stdout}${stderr}`))
      },
    )
    child.stdin?.on('error', () => undefined) // it may end without having read everything
    child.stdin?.end(input)
  })
}

/**
 * Calls `look` again and again until it no longer throws, and returns its result.
 * @param what completes "Waited in vain for …".
 */
export async function until<Result>(
  what: string,
  look: () => Result | Promise<Result>,
  timeoutMs = 180_000,
): Promise<Result> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain for ${what}`, { cause: error })
      await sleep(300)
    }
  }
}
