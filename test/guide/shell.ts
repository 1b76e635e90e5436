import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A terminal that was just opened. */
export type Shell = ReturnType<typeof openShell>

export function openShell(directory: string, env: NodeJS.ProcessEnv) {
  // A group of its own, so that what was started in the background goes with it.
  const bash = spawn('bash', { cwd: directory, env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] })
  let printed = ''
  bash.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const end = '-- that was all --'

  return {
    /** Runs commands as if they were typed, and resolves with what they print. */
    async run(commands: string): Promise<string> {
      printed = ''
      // What reads its input must not read the commands that follow.
      bash.stdin.write(`{ ${commands}\n} < /dev/null 2>&1\necho '${end}'\n`)
      while (!printed.includes(end)) await once(bash.stdout, 'data')
      return printed.replace(`${end}\n`, '')
    },
    close(): void {
      if (bash.exitCode === null && bash.pid !== undefined) process.kill(-bash.pid)
    },
  }
}
