/** The page of results, docs/benchmarks.md. */
import type { Machine } from './machine.js'
import { median } from './statistics.js'

export interface Results {
  repeats: number
  machine: Machine
  workloads: WorkloadResults[]
}

export interface WorkloadResults {
  name: string
  /** The commit that was measured, and the day: workloads can be measured one at a time. */
  commit: string
  day: string
  title: string
  about: string
  candidates: CandidateResults[]
}

export interface CandidateResults {
  name: string
  about: string
  figures: Series[]
  /** Repeats during which the machine was busy with something else, too, however often they were tried again. */
  disturbed: number
  /** What went wrong in repeats that gave no figures. */
  failures: string[]
}

/** One figure in all repeats. */
export interface Series {
  metric: string
  unit: string
  values: number[]
}

/** Puts the repeats of a measurement together, in the order in which the figures first came. */
export function seriesOf(repeats: { metric: string; unit: string; value: number }[][]): Series[] {
  const series = new Map<string, Series>()
  for (const { metric, unit, value } of repeats.flat()) {
    const one = series.get(metric) ?? { metric, unit, values: [] }
    one.values.push(value)
    series.set(metric, one)
  }
  return [...series.values()]
}

export function spreadOf(values: number[]): { low: number; middle: number; high: number } {
  return { low: Math.min(...values), middle: median(values), high: Math.max(...values) }
}

/** Three digits that count, and a comma for thousands. */
export function written(value: number): string {
  const digits = Math.abs(value) >= 1_000_000 ? 4 : 3
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumFractionDigits: 3 })
}

export function reportOf({ repeats, machine, workloads }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  return `# How fast it is

\`npm run bench\` measured this and wrote this page. Each figure is the median of ${repeats} repeats, with the lowest and the highest in parentheses.

![The main figures as bars](benchmarks.svg)

${workloads.map(section).join('\n\n')}

## How it is measured

- The machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB. A small write that waits for the disk takes ${written(machine.fsyncMs)} ms. ${versions.join(', ')}.
- ${machine.isPinned ? 'Servers run on the first core; the load generator, PostgreSQL and Redis on the others.' : 'Nothing is bound to a core.'}
- One load generator serves all candidates. It posts at moments that are fixed beforehand, and latency counts from that moment, so that a slow
  server cannot slow down the questions.
- Every client checks every message: nothing is lost, nothing comes twice or out of order, no text is changed, nothing comes into the wrong room.
  A run with one such fault does not count. What a durable candidate acknowledges is read back. \`npm run bench -- --teeth\` plants eight faults
  and shows that each is refused.
- A dash means that there was no run without a fault.
- In the hot room a step counts while the 99th percentile stays within 100 ms and no delivery takes a second; with many rooms, while the 99th
  percentile of acknowledgements stays within 100 ms. A step that fails is tried once more.
- Candidates take turns within each repeat. Each starts anew, and the chat with an empty database. PostgreSQL and SQLite wait for the disk at each commit.
- CPU is what the kernel counts for the processes of a group, divided by what was delivered meanwhile.
- Where something else took more than a tenth of a core, the measurement was repeated, and marked with * when it was disturbed again.
- The chat runs in production mode. Only the limits of one person's messages are raised, through \`LIMIT_POST\` and \`LIMIT_SIGNAL\`.

## What the figures do not say

- Everything runs on one machine, over the loopback interface: there is no network that loses or delays anything, and no TLS.
- Most candidates store nothing, know no sessions and no memberships. They show what delivery costs, and are no chats.
- Other machines give other figures. Ratios between candidates hold better than the figures themselves.
- Where the generator used nearly all of its core, the candidate may be faster than the table says.
- Nothing runs for longer than a few minutes, so growth of memory does not show here.
`
}

function section({ title, about, commit, day, candidates }: WorkloadResults): string {
  const metrics = [
    ...new Map(candidates.flatMap(({ figures }) => figures).map(({ metric, unit }) => [metric, unit])).entries(),
  ]
  const rows = metrics.map(([metric, unit]) => {
    const cells = candidates.map(({ figures }) => cell(figures.find((figure) => figure.metric === metric)))
    return `| ${[unit === '' ? metric : `${metric}, ${unit}`, ...cells].join(' | ')} |`
  })
  const names = candidates.map(({ name, disturbed }) => (disturbed > 0 ? `${name} *` : name))
  return [
    `## ${title}`,
    `${about} Measured on ${day} at commit \`${commit.slice(0, 8)}\`.`,
    [`| | ${names.join(' | ')} |`, `|---|${'---|'.repeat(names.length)}`, ...rows].join('\n'),
    [
      ...candidates.map(({ name, about }) => `- ${name}: ${about}.`),
      ...candidates.flatMap(({ name, failures }) =>
        failures.map((failure) => `- ${name} gave no figures once: ${failure}`),
      ),
    ].join('\n'),
  ].join('\n\n')
}

function cell(series: Series | undefined): string {
  if (series === undefined) return '–'
  const { low, middle, high } = spreadOf(series.values)
  return series.values.length === 1 ? written(middle) : `${written(middle)} (${written(low)}–${written(high)})`
}
