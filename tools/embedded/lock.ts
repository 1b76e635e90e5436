import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The process that holds a lock, as written in the lock file. */
export interface Holder {
  pid: number
  /** The start time of the process, as the system reports it. It differs for a later process with the same number. */
  began: string
  /** When the lock was taken, ISO 8601. */
  since: string
  /** What the process does with the lock, for people: the URL of the chat. */
  note: string
}

export class LockHeld extends Error {
  constructor(readonly holder: Holder) {
    super(`held by process ${holder.pid} since ${holder.since}`)
    this.name = 'LockHeld'
  }
}

/**
 * Takes the lock at `file` for this process. If the process that holds it has ended, takes over the lock.
 * @param options.patienceMs how long to wait for a process that is still running.
 * @returns the function that releases the lock.
 * @throws LockHeld if a running process holds it.
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
      // Creating a hard link is atomic, and fails if the lock file exists.
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

/** True if the process that wrote this still runs, and not another process with the same number. */
function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false // EPERM: it runs, and belongs to another user
  }
  return beganOf(holder.pid) === holder.began
}

/** If two processes find the same stale lock, only one may remove it: the second would remove the new lock of the first. */
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

/** Undefined if the file is gone. A file that cannot be read counts as a process that has ended. */
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
    // Linux: the 22nd field. Count after the name, because the name may contain spaces and brackets.
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

/** False if `work` fails with this code. Throws all other errors. */
function succeeds(act: () => void, expected: string): boolean {
  try {
    act()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === expected) return false
    throw error
  }
}
