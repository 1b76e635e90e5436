/**
 * `npm run bench`: measures the chat and what it is compared with, and writes bench/results.json, docs/benchmarks.md and
 * docs/benchmarks.svg. Flags: see `usage`.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createDaemons } from '../tools/services/daemons.js'
import { cache, findGo, findPostgres, findProgram } from '../tools/services/programs.js'
import { startInstalled } from '../tools/services/services.js'
import type { Candidate, Context } from './candidates.js'
import type { Figure, Workload } from './measurement.js'
import type { Results, WorkloadResults } from './report.js'

const usage = `npm run bench -- [flags]
  --quick                 one repeat of 3 s each: shows that it works, and writes into the cache only
  --only WORKLOAD[,..]    only these workloads; the results of the others stay
  --candidates NAME[,..]  only these candidates; writes into the cache only
  --repeats N             how often each measurement is made, 3 if not given
  --messages N            rows of the workload history, instead of 1 and 10 million
  --ref COMMIT            which commit the candidate chat-at is
  --teeth                 plants faults and shows that each is refused; measures nothing
`
/** The last commit in which each message had a frame and a commit of its own. */
const unbatched = '5e8e831'

const root = fileURLToPath(new URL('..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const quietPatienceMs = 120_000
const attemptsAtMost = 3
const say = (line: string) => process.stdout.write(`${line}\n`)

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    candidates: { type: 'string' },
    repeats: { type: 'string', default: '3' },
    messages: { type: 'string' },
    ref: { type: 'string', default: unbatched },
    teeth: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (flags.help) say(usage)
else {
  install()
  // They import what has just been installed.
  const { checkOut, createCandidates } = await import('./candidates.js')
  const { workloads } = await import('./workloads.js')
  const wanted = named('workload', workloads, flags.only)
  const candidates = named('candidate', createCandidates(flags.ref), flags.candidates)
  const { pins } = await import('./machine.js')

  const programs = { generator: build('generator'), centrifuge: build('candidates/centrifuge') }
  const daemons = createDaemons()
  const close: (() => void)[] = []
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const each of close) each()
      process.exit(1) // the reaper ends the processes
    })
  }
  try {
    if (flags.teeth) {
      const { bareTeeth } = await import('./teeth.js')
      const nothing = { url: '', pid: 0 }
      if (!(await bareTeeth({ daemons, programs, postgres: nothing, redis: nothing }, say))) process.exitCode = 1
    } else {
      const takesPart = (name: string) =>
        candidates.some((candidate) => candidate.name === name && wanted.some((each) => each.candidates.includes(name)))
      say('Building the chat.')
      execFileSync('npm', ['run', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
      const earlier = takesPart('chat-at') ? checkOut(flags.ref, daemons) : undefined
      if (earlier !== undefined) close.push(earlier.remove)
      const safe = {
        fsync: 'on',
        full_page_writes: 'on',
        shared_preload_libraries: 'pg_stat_statements',
        'pg_stat_statements.track': 'none',
      }
      const after = Object.entries(safe).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const context: Context = {
        daemons,
        programs,
        postgres: await startInstalled('postgres', daemons, { before: pins.databases, after }),
        redis: await startInstalled('redis', daemons, { before: pins.databases }),
        ...(earlier && { earlier: earlier.directory }),
      }
      await write(await measureAll(wanted, candidates, context))
    }
  } finally {
    for (const each of close) each()
    await daemons.stop()
  }
}

/** Installs what the benchmark alone needs, when its lock file is newer than what is there. */
function install() {
  const [lock, installed] = [join(here, 'package-lock.json'), join(here, 'node_modules/.package-lock.json')]
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return
  say('Installing what the benchmark needs.')
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
}

/** The path of a program of this folder, built into the cache. @throws when Go is missing or too old. */
function build(folder: string): string {
  const go = findGo(
    '1.24',
    'The benchmark builds its load generator with Go 1.24 or newer: install it from https://go.dev/dl/.',
  )
  const program = join(cache, 'bench', folder.split('/').at(-1) ?? '')
  say(`Building ${folder}.`)
  const env = { ...process.env, GOFLAGS: '-buildvcs=false' }
  execFileSync(go, ['build', '-o', program, `./${folder}`], { cwd: here, env, stdio: ['ignore', 'inherit', 'inherit'] })
  return program
}

/** Those that a flag names, or all. @throws when there is no such one. */
function named<Thing extends { name: string }>(what: string, all: Thing[], flag: string | undefined): Thing[] {
  const names = flag?.split(',') ?? all.map(({ name }) => name)
  const unknown = names.filter((name) => !all.some((each) => each.name === name))
  if (unknown.length > 0)
    throw new Error(`There is no ${what} ${unknown.join(', ')}: ${all.map(({ name }) => name).join(', ')}.`)
  return all.filter(({ name }) => names.includes(name))
}

async function measureAll(wanted: Workload[], candidates: Candidate[], context: Context): Promise<Results> {
  const { describeMachine, versionOf } = await import('./machine.js')
  const { seriesOf } = await import('./report.js')
  const repeats = flags.quick ? 1 : Number(flags.repeats)
  const machine = describeMachine(context.daemons.scratch, {
    go: versionOf(findProgram('go') ?? '/usr/local/go/bin/go', 'env', 'GOVERSION'),
    postgres: versionOf(findPostgres('postgres') ?? '', '--version'),
    redis: versionOf(findProgram('redis-server') ?? '', '--version'),
  })
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  const day = new Date().toISOString().slice(0, 10)
  const results: WorkloadResults[] = []
  for (const workload of wanted) {
    const rows = candidates
      .filter(({ name }) => workload.candidates.includes(name))
      .map((candidate) => ({ candidate, repeats: [] as Figure[][], disturbed: 0, failures: [] as string[] }))
    for (let repeat = 1; repeat <= repeats; repeat += 1) {
      for (const row of rows) {
        const begin = Date.now()
        try {
          const { figures, isDisturbed } = await measureQuietly(workload, row.candidate, context)
          row.repeats.push(figures)
          if (isDisturbed) row.disturbed += 1
          const seconds = Math.round((Date.now() - begin) / 1000)
          say(
            `${workload.name} ${row.candidate.name} ${repeat}/${repeats}, ${seconds} s${isDisturbed ? ', disturbed' : ''}`,
          )
          for (const { metric, value, unit } of figures) say(`  ${metric}: ${value.toPrecision(4)} ${unit}`)
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          row.failures.push(reason)
          say(`${workload.name} ${row.candidate.name} ${repeat}/${repeats} failed: ${reason}`)
        }
      }
    }
    results.push({
      name: workload.name,
      commit,
      day,
      title: workload.title,
      about: workload.about,
      candidates: rows.map(({ candidate: { name, about }, repeats, disturbed, failures }) => ({
        name,
        about,
        figures: seriesOf(repeats),
        disturbed,
        failures,
      })),
    })
  }
  return { repeats, machine, workloads: results }
}

/** Measures once, and again when the machine was busy with something else; a quick run takes it as it is. */
async function measureQuietly(workload: Workload, candidate: Candidate, context: Context) {
  const { createMeasurement } = await import('./measurement.js')
  const { untilQuiet } = await import('./machine.js')
  const messages = flags.messages ? [Number(flags.messages)] : flags.quick ? [100_000] : [1_000_000, 10_000_000]
  for (let attempt = 1; ; attempt += 1) {
    const wasQuiet = flags.quick || (await untilQuiet(quietPatienceMs))
    const measurement = createMeasurement({ candidate, context, isQuick: flags.quick, messages, say })
    try {
      const figures = await workload.measure(measurement)
      const isDisturbed = !wasQuiet || measurement.isDisturbed()
      if (!isDisturbed || flags.quick || attempt === attemptsAtMost) return { figures, isDisturbed }
      say(`${workload.name} ${candidate.name}: disturbed, once more`)
    } finally {
      await measurement.stop()
    }
  }
}

/** Writes the results: quick and partial ones into the cache, others where they are committed. */
async function write(fresh: Results) {
  const { reportOf } = await import('./report.js')
  const { chartOf } = await import('./chart.js')
  const isForKeeps = !flags.quick && flags.candidates === undefined
  const kept = join(here, 'results.json')
  let results = fresh
  if (isForKeeps && flags.only !== undefined && existsSync(kept)) {
    const before = JSON.parse(readFileSync(kept, 'utf8')) as Results
    const others = before.workloads.filter(({ name }) => !fresh.workloads.some((workload) => workload.name === name))
    results = { ...fresh, workloads: [...others, ...fresh.workloads] }
  }
  const [data, pages] = isForKeeps ? [here, join(root, 'docs')] : [join(cache, 'bench'), join(cache, 'bench')]
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(pages, 'benchmarks.md'), reportOf(results))
  writeFileSync(join(pages, 'benchmarks.svg'), chartOf(results))
  say(`The results are in ${data} and ${pages}.`)
}
