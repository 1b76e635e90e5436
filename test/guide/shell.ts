import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Starts a new shell, like a new terminal. */
export type Shell = ReturnType<typeof openShell>

export function openShell(directory: string, env: NodeJS.ProcessEnv) {
  // A separate process group, so that background processes stop with the shell.
  const bash = spawn('bash', { cwd: directory, env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] })
  let printed = ''
  bash.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const end = '-- that was all --'

  return {
    /** Runs commands as if a person typed them, and resolves with their output. */
    async run(commands: string): Promise<string> {
      printed = ''
      // A command that reads its input must not read the next commands.
      bash.stdin.write(`{ ${commands}\n} < /dev/null 2>&1\necho '${end}'\n`)
      while (!printed.includes(end)) await once(bash.stdout, 'data')
      return printed.replace(`${end}\n`, '')
    },
    close(): void {
      if (bash.exitCode === null && bash.pid !== undefined) process.kill(-bash.pid)
    },
  }
}
