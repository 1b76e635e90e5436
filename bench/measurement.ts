/** One candidate under load: what the workloads are made of. */
import type { Candidate, Context, Setting, Stage } from './candidates.js'
import { startGenerator, type Answers, type Generator, type Result, type Run } from './generator.js'
import { isDisturbed } from './machine.js'

/** One number of a measurement. */
export interface Figure {
  metric: string
  unit: string
  value: number
}

export interface Workload {
  name: string
  title: string
  /** What people do in it, for the page of results. */
  about: string
  /** Names of those that can do it. */
  candidates: string[]
  measure(measurement: Measurement): Promise<Figure[]>
}

/** The limits of the generator, in ms: what is later does not count as delivered in time. */
export const limits = { p99: 100, max: 1_000 }

export type Measurement = ReturnType<typeof createMeasurement>

interface MeasurementOptions {
  candidate: Candidate
  context: Context
  isQuick: boolean
  /** Rows of history, one size after the other. */
  messages: number[]
  /** Where each run leaves a line. */
  say: (line: string) => void
}

/** Why a run does not count: what the generator found, or too late. */
export function objections({ faults, latency }: Pick<Result, 'faults' | 'latency'>): string[] {
  return [
    ...Object.keys(faults),
    ...(latency.p99 > limits.p99 ? ['late'] : []),
    ...(latency.max > limits.max ? ['stalled'] : []),
  ]
}

/** @throws when the generator has found a fault, with each and how often. */
export function mustBeSound({ faults }: Pick<Result, 'faults'>): void {
  if (Object.keys(faults).length > 0) throw new Error(`The run is void: ${JSON.stringify(faults)}`)
}

export function createMeasurement({ candidate, context, isQuick, messages, say }: MeasurementOptions) {
  const opened: { stage: Stage; generator: Generator }[] = []
  let disturbed = false

  /** Starts the candidate and connects its people. */
  async function start(setting: Setting) {
    const stage = await candidate.start(context, setting)
    const generator = startGenerator(context.programs.generator)
    opened.push({ stage, generator })
    const { people, groups } = stage
    const connect = () => generator.ask('connect', { dialect: candidate.dialect, people, groups })
    /** Asks for something that takes a while, and sees whether this machine was busy with something else meanwhile. */
    async function measure<Name extends 'rest' | 'run' | 'storm'>(name: Name, how: object): Promise<Answers[Name]> {
      const answer = await generator.ask(name, how)
      disturbed ||= isDisturbed(answer)
      return answer
    }
    const connection = await connect()
    let isSound = true

    /** What a run is when nothing else is said. */
    const usual = (rate: number): Run => ({
      rate,
      warmup: isQuick ? 0.5 : 1,
      seconds: isQuick ? 3 : 5,
      bytes: 120,
      senders: 10,
      sendersAmong: people.length,
      hasSeq: candidate.hasSeq,
      history: candidate.isDurable ? stage.history : '',
      grace: 10,
    })

    /** Posts at a rate. After a run that left something behind everybody connects anew. */
    async function run(rate: number, how: Partial<Run> = {}): Promise<Result> {
      if (!isSound) await connect()
      const result = await measure('run', { ...usual(rate), ...how })
      isSound = Object.keys(result.faults).length === 0
      const { delivered, seconds, latency, ack, faults } = result
      say(
        `  ${Math.round(rate)} posts/s: ${Math.round(delivered / seconds)} delivered/s, p99 ${latency.p99.toFixed(0)} ms, acknowledged p99 ${ack.p99.toFixed(0)} ms${isSound ? '' : `, void: ${JSON.stringify(faults)}`}`,
      )
      return result
    }
    return { stage, connection, usual, measure, run }
  }

  async function stop() {
    for (const { stage, generator } of opened.splice(0)) {
      generator.stop()
      await stage.stop()
    }
  }

  return {
    candidate,
    isQuick,
    messages,
    /** How often a search halves. */
    refinements: isQuick ? 1 : 4,
    /** Was the machine busy with something else in any of the runs? */
    isDisturbed: () => disturbed,
    start,
    stop,
  }
}

/** People in equal, adjoining parts of these rooms. */
export function peopleIn(rooms: number, count: number): { room: number }[] {
  return Array.from({ length: count }, (_, index) => ({ room: Math.floor((index * rooms) / count) }))
}

/** CPU for each delivery in µs, by the names of the groups. */
export function cpuPerDelivery({ use, delivered }: Result): Figure[] {
  return Object.entries(use)
    .filter(([group]) => group !== 'generator')
    .map(([group, { cpu }]) => ({ metric: `CPU per delivery, ${group}`, unit: 'µs', value: (cpu * 1e6) / delivered }))
}
