/**
 * Outlives whoever started it, by a moment: `reaper.ts <folder>` reads lines of `pid signal` (or `pid gone`, since
 * numbers are used again) until its input ends, then stops those processes, newest first, and removes the folder.
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
  send(-pid, 'SIGKILL') // what is left of its process group
}
rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })

function isAlive(pid: number): boolean {
  return send(pid, 0)
}

/** False when there is no such process. */
function send(pid: number, signal: string | number): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
