/** The load generator as a process of its own (generator/main.go): commands in, results out. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { pins } from './machine.js'

export type Dialect = 'socket.io' | 'ws' | 'centrifuge'

export interface Person {
  url: string
  headers: Record<string, string>
  rooms: string[]
}

/** CPU in seconds, resident memory in KB; by group of processes. */
export type Use = Record<string, { cpu: number; rssKb: number }>

/** In ms, from the intended moment. */
export interface Latency {
  count: number
  p50: number
  p99: number
  max: number
}

export interface Run {
  rate: number
  warmup: number
  seconds: number
  bytes: number
  senders: number
  sendersAmong: number
  hasSeq: boolean
  history: string
  grace: number
}

/** What a stretch of time has cost: CPU, also of all else on this machine and what the host took away, in seconds. */
export interface Spent {
  seconds: number
  use: Use
  others: number
  stolen: number
}

export interface Result extends Spent {
  faults: Record<string, number>
  posted: number
  delivered: number
  messagesPerFrame: number
  bytesPerDelivery: number
  latency: Latency
  ack: Latency
  /** How far the generator itself was behind its schedule. */
  lag: Latency
}

export interface StormResult extends Result {
  back: Latency
  returned: number
  requests: number
  failed: number
  refused: number
}

export interface Answers {
  connect: { connected: number; seconds: number; before: Use; after: Use }
  rest: Spent
  run: Result
  storm: StormResult
}

export type Generator = ReturnType<typeof startGenerator>

const patienceMs = 120_000

/** It ends when its input does, so it never outlives this process. */
export function startGenerator(program: string) {
  const [command = '', ...args] = [...pins.generator, program]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => undefined) // it has ended, and the answer will say so
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  return {
    pid: child.pid ?? 0,

    /** @throws when the generator fails, has ended, or does not answer in time; then it is no longer there. */
    async ask<Name extends keyof Answers>(name: Name, of: object): Promise<Answers[Name]> {
      const { warmup = 0, seconds = 0, grace = 0 } = of as Partial<Run>
      const deadline = setTimeout(() => child.kill('SIGKILL'), patienceMs + (warmup + seconds + grace) * 1000)
      child.stdin.write(`${JSON.stringify({ do: name, ...of })}\n`)
      const { value } = (await lines.next()) as { value: string | undefined }
      clearTimeout(deadline)
      if (value === undefined) throw new Error('The generator has ended.')
      const answer = JSON.parse(value) as Answers[Name] & { failure?: string }
      if (answer.failure !== undefined) throw new Error(answer.failure)
      return answer
    },

    stop() {
      child.kill('SIGKILL')
    },
  }
}
