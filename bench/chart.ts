/** The picture of results, docs/benchmarks.svg: bars with the spread of the repeats. */
import { spreadOf, written, type Results, type Series } from './report.js'

/** Which figures are worth a bar: workload, metric, and what is better. */
const shown = [
  { workload: 'hot-room', metric: 'most delivered', better: 'more' },
  { workload: 'hot-room', metric: 'CPU per delivery, server, at 100 messages/s', better: 'less' },
  { workload: 'many-rooms', metric: 'most durable posts', better: 'more' },
  { workload: 'quiet-room', metric: 'send to receive p50', better: 'less' },
  { workload: 'idle', metric: 'memory per connection', better: 'less' },
]

const width = 720
const left = 140
const right = 100
const rowHeight = 24
const titleHeight = 40

export function chartOf({ workloads }: Results): string {
  let y = 0
  const groups = shown.flatMap(({ workload: name, metric, better }) => {
    const workload = workloads.find((workload) => workload.name === name)
    const bars = (workload?.candidates ?? []).flatMap(({ name, figures }) =>
      figures.filter((figure) => figure.metric === metric).map((series) => ({ name, series })),
    )
    const [first] = bars
    if (workload === undefined || first === undefined) return []
    const longest = Math.max(...bars.flatMap(({ series }) => series.values))
    const title = `${workload.title}: ${metric}${first.series.unit === '' ? '' : `, ${first.series.unit}`} (${better} is better)`
    const top = y + titleHeight
    y = top + bars.length * rowHeight
    return [
      `<text class="title" x="8" y="${top - 12}">${escaped(title)}</text>`,
      ...bars.map(({ name, series }, index) => bar(name, series, longest, top + index * rowHeight)),
    ]
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 16}" role="img" aria-label="Results of the benchmark">
<style>
  svg { background: #fff }
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .other { fill: #9aa4b2 }
  .ours { fill: #2f6feb }
  .spread { stroke: #1f2328 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 }
    text { fill: #e6edf3 }
    .other { fill: #57606a }
    .ours { fill: #4c8dff }
    .spread { stroke: #e6edf3 }
  }
</style>
${groups.join('\n')}
</svg>
`
}

function bar(name: string, { values }: Series, longest: number, top: number): string {
  const scale = (value: number) => Math.round((value / longest) * (width - left - right) * 10) / 10
  const { low, middle, high } = spreadOf(values)
  const [kind, centre] = [name === 'chat' ? 'ours' : 'other', top + rowHeight / 2 - 2]
  return [
    `<text x="${left - 8}" y="${centre + 4}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="${kind}" x="${left}" y="${top}" width="${scale(middle)}" height="${rowHeight - 6}"/>`,
    `<path class="spread" d="M${left + scale(low)} ${centre}H${left + scale(high)}"/>`,
    `<text x="${left + scale(high) + 8}" y="${centre + 4}">${written(middle)}</text>`,
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
