/**
 * Cleans up after its parent process has ended. `reaper.ts <folder>` reads lines `pid signal`, or `pid gone` for a process
 * that has ended, because its number may be used again. At the end of its input it stops the processes, the newest first,
 * and removes the folder.
 */
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const patienceMs = 10_000
const [folder = ''] = process.argv.slice(2)

const started = new Map<number, string>()
for await (const line of createInterface({ input: process.stdin })) {
  const [pid, signal = ''] = line.split(' ')
  if (signal === 'gone') started.delete(Number(pid))
  else started.set(Number(pid), signal)
}

for (const [pid, signal] of [...started].reverse()) {
  const deadline = Date.now() + patienceMs
  send(pid, signal)
  while (isAlive(pid) && Date.now() < deadline) await sleep(20)
  send(-pid, 'SIGKILL') // the rest of its process group
}
rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })

function isAlive(pid: number): boolean {
  return send(pid, 0)
}

/** Returns false if the process does not exist. */
function send(pid: number, signal: string | number): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
