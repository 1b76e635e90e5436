/**
 * `npm test` runs every suite, on built-in adapters and on real services. `npm run test:cluster` runs the suite that needs
 * a Kubernetes cluster. `npm run test:guide` runs the chapters of the guide on a cluster. The last line of all three is
 * `N passed, N failed`.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildWhatIsStale } from '../embedded/build.js'
import { createProcesses } from '../embedded/processes.js'
import { readSurroundings } from '../../test/cluster/surroundings.js'
import { startServices, type Services } from '../services/services.js'
import type { Results } from './reporter.js'

interface Suite {
  name: string
  /** Arguments for vitest. */
  tests: string[]
  /** True: runs on real services. False: runs on the built-in adapters. */
  isReal: boolean
}

interface Outcome extends Results {
  suite: string
  seconds: number
}

const suites: Suite[] = [
  { name: 'tools', tests: ['--project', 'tools'], isReal: false },
  { name: 'chart', tests: ['--project', 'chart'], isReal: false },
  { name: 'pipeline', tests: ['--project', 'pipeline'], isReal: false },
  { name: 'embedded', tests: ['--project', 'apps'], isReal: false },
  { name: 'real', tests: ['--project', 'apps', 'apps/server', 'apps/worker'], isReal: true },
  { name: 'browser', tests: ['--project', 'browser'], isReal: true },
]
/** A folder in test/ with tests that need a cluster. */
const onCluster = process.argv[2]

const say = (text: string) => process.stdout.write(`${text}\n`)
const root = fileURLToPath(new URL('../..', import.meta.url))
process.chdir(root)

const results = mkdtempSync(join(tmpdir(), 'chat-results-'))
const processes = createProcesses(undefined)
const outcomes: Outcome[] = []
let services: Services | undefined
let vitest: ChildProcess | undefined

const interrupted = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => reject(new Error(`Stopped by ${signal}.`)))
})
try {
  await Promise.race([onCluster === undefined ? runAll() : runOnCluster(onCluster), interrupted])
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`\n${message}\n`)
  outcomes.push({ suite: 'run', passed: [], failed: [{ test: 'the run', reason: message }], skipped: [], seconds: 0 })
}
vitest?.kill()
await processes.stop()
await services?.stop()
rmSync(results, { recursive: true, force: true })
process.exit(report())

async function runAll() {
  const env = withoutServices()
  ;[services] = await Promise.all([startServices(), buildWhatIsStale(processes, env)])
  for (const { name, tests, isReal } of suites) {
    say(`\n=== ${name}`)
    outcomes.push(await runVitest(name, tests, isReal ? { ...env, ...services.env } : env))
  }
}

async function runOnCluster(folder: string) {
  readSurroundings(process.env) // throws if a variable is missing, before any work begins
  outcomes.push(await runVitest(folder, ['--config', 'test/cluster/vitest.config.ts', `test/${folder}/`], process.env))
}

/** The environment without the variables of services, so that tests use the built-in adapters. */
function withoutServices(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEST_')))
}

async function runVitest(suite: string, args: string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const file = join(results, `${suite}.json`)
  const began = Date.now()
  vitest = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...args, '--reporter=default', '--reporter=./tools/test/reporter.ts'],
    {
      env: { ...env, RESULTS_FILE: file },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const [code] = (await once(vitest, 'exit')) as [number | null]
  const outcome: Outcome = { suite, ...readResults(file), seconds: Math.round((Date.now() - began) / 1000) }
  if (outcome.failed.length === 0 && (code !== 0 || outcome.passed.length === 0))
    outcome.failed.push({ test: 'vitest itself', reason: `exit code ${code}` })
  return outcome
}

function readResults(file: string): Results {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Results
  } catch {
    return { passed: [], skipped: [], failed: [] } // vitest failed before it wrote them
  }
}

/** Prints the results, and returns the exit code. A test that one suite skips must run in another suite. */
function report(): number {
  const passed = outcomes.flatMap((outcome) => outcome.passed)
  const failed = outcomes.flatMap(({ suite, failed }) =>
    failed.map(({ test, reason }) => `${suite}: ${test}\n${reason}`),
  )
  const ran = new Set(outcomes.flatMap(({ passed, failed }) => [...passed, ...failed.map(({ test }) => test)]))
  const neverRan = new Set(outcomes.flatMap(({ skipped }) => skipped).filter((test) => !ran.has(test)))
  for (const test of neverRan) failed.push(`never ran: ${test}`)

  say('')
  for (const test of failed) say(`FAILED  ${test.replaceAll('\n', '\n        ')}`)
  say(
    `\n${'suite'.padEnd(12)}${'passed'.padStart(8)}${'failed'.padStart(8)}${'elsewhere'.padStart(11)}${'seconds'.padStart(9)}`,
  )
  for (const { suite, passed, failed, skipped, seconds } of outcomes) {
    const elsewhere = skipped.filter((test) => !neverRan.has(test)).length
    say(
      `${suite.padEnd(12)}${String(passed.length).padStart(8)}${String(failed.length).padStart(8)}${String(elsewhere).padStart(11)}${String(seconds).padStart(9)}`,
    )
  }
  say(`\n${passed.length} passed, ${failed.length} failed`)
  return failed.length === 0 ? 0 : 1
}
