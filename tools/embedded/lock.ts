import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Who holds a lock, as its file tells. */
export interface Holder {
  pid: number
  /** When the process began, as the system tells it: another process that got the same number later has another one. */
  began: string
  /** When the lock was taken, ISO 8601. */
  since: string
  /** What it is held for, in words for people: an address. */
  note: string
}

export class LockHeld extends Error {
  constructor(readonly holder: Holder) {
    super(`held by process ${holder.pid} since ${holder.since}`)
    this.name = 'LockHeld'
  }
}

/**
 * Takes the lock at `file` for this process. A lock whose holder is dead is taken over.
 * @param options.patienceMs how long to wait for a holder that is alive.
 * @returns the function that gives it back.
 * @throws LockHeld when a living process has it.
 */
export async function takeLock(
  file: string,
  options: { note?: string; patienceMs?: number } = {},
): Promise<() => void> {
  const deadline = Date.now() + (options.patienceMs ?? 0)
  const mine: Holder = {
    pid: process.pid,
    began: beganOf(process.pid),
    since: new Date().toISOString(),
    note: options.note ?? '',
  }
  const draft = `${file}.${process.pid}`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(draft, JSON.stringify(mine))
  try {
    for (;;) {
      // A hard link appears whole or not at all, and fails where there is one already.
      if (succeeds(() => linkSync(draft, file), 'EEXIST')) return () => giveBack(file, mine)
      const holder = readHolder(file)
      if (holder === undefined) continue
      if (!isAlive(holder)) removeStale(file, holder)
      else if (Date.now() < deadline) await sleep(50)
      else throw new LockHeld(holder)
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Is the process that wrote this still running, and not another one with the same number? */
function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false // EPERM: it lives, and is somebody else's
  }
  return beganOf(holder.pid) === holder.began
}

/** Two that find the same stale lock must not both remove it: the second would remove the lock of the first. */
function removeStale(file: string, stale: Holder) {
  const aside = `${file}.stale.${process.pid}`
  if (!succeeds(() => renameSync(file, aside), 'ENOENT')) return
  const removed = readHolder(aside)
  if (removed?.pid !== stale.pid || removed.since !== stale.since) succeeds(() => linkSync(aside, file), 'EEXIST')
  rmSync(aside, { force: true })
}

function giveBack(file: string, mine: Holder) {
  const holder = readHolder(file)
  if (holder?.pid === mine.pid && holder.since === mine.since) rmSync(file, { force: true })
}

/** Undefined when the file is gone; what cannot be read counts as a holder that is dead. */
function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (!(error instanceof SyntaxError)) throw error
    return { pid: 0x7fffffff, began: '', since: '', note: '' }
  }
}

function beganOf(pid: number): string {
  try {
    // Linux: the 22nd field, counted behind the name, which may itself contain spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    try {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    } catch {
      return ''
    }
  }
}

/** False when it fails with this one code. */
function succeeds(act: () => void, expected: string): boolean {
  try {
    act()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === expected) return false
    throw error
  }
}
