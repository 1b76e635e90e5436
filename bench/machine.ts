/** What the figures were measured on, and which of its cores is for what. */
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from '../tools/services/programs.js'
import { median } from './statistics.js'

const cores = cpus().length
const canPin = cores > 1 && findProgram('taskset') !== undefined
const on = (which: string) => (canPin ? ['taskset', '-c', which] : [])

/** Commands in front of others that keep them to their cores; empty where there is one core, or no taskset. */
export const pins = {
  server: on('0'),
  generator: on('1'),
  databases: on(cores > 2 ? `2-${cores - 1}` : '1'),
}

export interface Machine {
  processor: string
  cores: number
  memoryGb: number
  isPinned: boolean
  /** Median time of a small write that waits for the disk, in ms. */
  fsyncMs: number
  /** Name and version of what ran. */
  versions: Record<string, string>
}

export function describeMachine(folder: string, versions: Record<string, string>): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    isPinned: canPin,
    fsyncMs: fsyncMs(folder),
    versions: { node: process.version, ...versions },
  }
}

function fsyncMs(folder: string): number {
  const file = openSync(join(folder, 'fsync'), 'w')
  const times = Array.from({ length: 100 }, () => {
    const start = performance.now()
    writeSync(file, 'x'.repeat(8192))
    fsyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  return median(times)
}

/** The first line that a program prints about its version. */
export function versionOf(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0] ?? ''
}

const quietShare = 0.1

/** Waits until this machine has little else to do, or for so long. Resolves with whether it has. */
export async function untilQuiet(atMostMs: number): Promise<boolean> {
  for (const end = Date.now() + atMostMs; ;) {
    const before = await busySeconds()
    await sleep(1_000)
    if ((await busySeconds()) - before < quietShare) return true
    if (Date.now() > end) return false
  }
}

/** Of all cores together, with what the host has stolen. */
async function busySeconds(): Promise<number> {
  const [, user = 0, nice = 0, system = 0, , , , , stolen = 0] = (await readFile('/proc/stat', 'utf8'))
    .split(/\s+/)
    .map(Number)
  return (user + nice + system + stolen) / 100
}

/** Was more than a tenth of a core busy with something else meanwhile, or taken away? */
export function isDisturbed({ others, stolen, seconds }: { others: number; stolen: number; seconds: number }): boolean {
  return others + stolen > quietShare * seconds
}
