/**
 * `npm start`, and with --watch `npm run dev`: runs the whole chat on this machine. Sets the variables that the chart sets
 * in a pod, and starts the unchanged apps.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pretty from 'pino-pretty'
import { buildWhatIsStale, developmentBundle, webBuild } from './build.js'
import { mustBeWritable } from './disk.js'
import { LockHeld, takeLock } from './lock.js'
import { startPostgres } from './postgres.js'
import { createProcesses } from './processes.js'

const isWatching = process.argv.includes('--watch')
const say = (text: string) => process.stdout.write(`${text}\n`)

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
if (existsSync('.env')) process.loadEnvFile('.env')
const env: NodeJS.ProcessEnv = { ...process.env }
const data = (env.DATA_DIR ||= '.data')

const signalled = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
})
const processes = createProcesses(
  process.stdout.isTTY ? pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }) : undefined,
)
/** Functions that close what was opened; called in reverse order. */
const opened: (() => Promise<void> | void)[] = []

try {
  await Promise.race([start(), signalled])
  say('\nStopping.')
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
for (const close of opened.reverse()) await close()
process.exit()

/** Never returns; throws when a process has failed. */
async function start(): Promise<never> {
  if (!env.DATABASE_URL && env.NODE_ENV === 'production') {
    throw new Error(
      'NODE_ENV is production and DATABASE_URL is not set: the embedded database is for development only.',
    )
  }
  const address = await claimAddress()
  env.COOKIE_SECRET ||= cookieSecret()
  env.METRICS_PORT ||= '0' // a free port, so that two checkouts can run side by side
  env.STOP_TIMEOUT_MS ||= '6000'

  const postgres = env.DATABASE_URL ? undefined : startPostgres(join(data, 'postgres'), { say })
  opened.push(() => postgres?.stop())
  opened.push(() => processes.stop())
  const [url] = await Promise.all([postgres?.url, isWatching ? undefined : buildWhatIsStale(processes, env)]) // with --watch, the apps run from their sources
  env.DATABASE_URL ||= url

  await processes.run({ name: 'migration', env, ...program('server/cli', ['migrate']) })
  await processes.run({ name: 'loading of fixtures', env, ...program('server/cli', ['fixtures']) })
  const failures = [processes.start({ name: 'server', env, ...service('server/main') })]
  if (postgres) failures.push(postgres.failed)
  if (env.AMQP_URI)
    failures.push(processes.start({ name: 'worker', env: { PUBLIC_URL: address, ...env }, ...service('worker/main') }))
  if (isWatching) {
    const { file, args } = webBuild.command
    failures.push(processes.start({ name: 'web', env, file, args: [...args, '--mode', 'development', '--watch'] }))
  }

  await Promise.race([isServed(address), ...failures])
  say(welcome(env.PUBLIC_URL || address))
  return Promise.race(failures)
}

/** Takes the lock on the data folder, then checks that the port is free. Returns the URL of the chat. */
async function claimAddress(): Promise<string> {
  const host = env.HOST || '127.0.0.1'
  const wanted = Number(env.PORT || 8080)
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 65535)
    throw new Error(`PORT must be a number from 0 to 65535, not "${env.PORT}".`)
  const note = `http://${host}:${wanted}`
  mustBeWritable(data, 'Or set DATA_DIR to another folder.')
  const release = await takeLock(join(data, 'lock'), { note }).catch((error: unknown) => {
    if (!(error instanceof LockHeld)) throw error
    const { pid, since, note: where } = error.holder
    throw new Error(
      `This chat is running already: process ${pid}, since ${new Date(since).toLocaleString()}, at ${where}. Stop that process first, or set DATA_DIR to another folder.`,
    )
  })
  opened.push(release)

  const probe = createServer().listen(wanted, host)
  await once(probe, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE'
      ? new Error(`Port ${wanted} is in use by another program. Set PORT to a free one: PORT=${wanted + 1} npm start`)
      : error
  })
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  env.PORT = String(port)
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`
}

/** Created only once, so that sessions survive a restart. */
function cookieSecret(): string {
  const file = join(data, 'cookie-secret')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** The command for a program of the apps, like `server/main`: its build, or with --watch its source. */
function program(name: string, args: string[] = []) {
  const [app, file] = name.split('/')
  return isWatching
    ? { file: 'node_modules/tsx/dist/cli.mjs', args: ['--conditions=source', `apps/${app}/src/${file}.ts`, ...args] }
    : { file: `apps/${app}/dist/${file}.js`, args }
}

/** A program that keeps running; with --watch it restarts when its source changes. */
function service(name: string) {
  const { file, args } = program(name)
  return { file, args: isWatching ? ['watch', ...args] : args }
}

async function isServed(address: string) {
  const isReady = () =>
    fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isReady()) || (isWatching && !existsSync(developmentBundle))) await sleep(100)
}

function welcome(address: string): string {
  const people = [...readFileSync('fixtures/demo.sql', 'utf8').matchAll(/^-- sign-in: (\S+) \/ (.+)$/gm)]
  const nameWidth = Math.max(...people.map(([, email = '']) => email.length))
  return [
    '',
    `  Chat is ready at ${address}`,
    '',
    '  Sign in as',
    ...people.map(([, email = '', password]) => `    ${email.padEnd(nameWidth)}  password: ${password}`),
    '',
    env.MAILGUN_APIKEY ? '  Mailgun sends the mail.' : `  Read the mail at ${address}/mailbox`,
    '  Ctrl-C stops the chat. The next start has all data again.',
    '',
  ].join('\n')
}
