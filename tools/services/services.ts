/**
 * The real backing services for the tests. Each service comes from the first available of these sources: a variable in
 * the environment; Docker; Debian or Ubuntu packages, which are installed if they are missing.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from '../../apps/server/src/test/free-port.js'
import { answers, createDaemons, type Daemon, type Daemons } from './daemons.js'
import { buildVersitygw, findPostgres, findProgram, idsOf, installPackages, succeeds } from './programs.js'

export interface Services {
  /** TEST_DATABASE_URL, TEST_PGBOUNCER_URL, TEST_SESSION_REDIS, TEST_AMQP_URI, TEST_S3_*, TEST_NGINX, TEST_CHROMIUM. */
  env: Record<string, string>
  stop(): Promise<void>
}

interface Place {
  daemons: Daemons
  port: number
  /** A random password for this run. */
  secret: string
}

interface Service {
  name: string
  /** If the first variable is set, the service is not started, and the tests get all these variables. */
  variables: string[]
  /** The Debian package, and whether its programs are installed. */
  packaged?: { name: string; isInstalled: () => boolean }
  docker?: (place: Place) => { options: string[]; image: string; args?: string[] }
  local: (place: Place) => Promise<Omit<Daemon, 'name' | 'isReady'>>
  isReady: (place: Place) => Promise<boolean>
  env: (place: Place) => Record<string, string>
}

const isInstalled = (...names: string[]) => findProgram(...names) !== undefined
export const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

const services: Service[] = [
  {
    name: 'postgres',
    variables: ['TEST_DATABASE_URL'],
    packaged: { name: 'postgresql', isInstalled: () => findPostgres('initdb') !== undefined },
    docker: ({ port, secret }) => ({
      options: ['-p', `127.0.0.1:${port}:5432`, '-e', `POSTGRES_PASSWORD=${secret}`],
      image: 'postgres:18',
      args: ['-c', 'fsync=off', '-c', 'max_connections=300'],
    }),
    async local({ daemons, port, secret }) {
      const user = 'postgres'
      const folder = daemons.folder('postgres', user)
      writeFileSync(join(daemons.scratch, 'postgres-password'), secret, { mode: 0o644 })
      execFileSync(
        findPostgres('initdb') ?? '',
        [
          '-D',
          join(folder, 'data'),
          '-U',
          'postgres',
          '-A',
          'scram-sha-256',
          `--pwfile=${daemons.scratch}/postgres-password`,
          '-E',
          'UTF8',
          '--locale=C.UTF-8',
          '--no-sync',
        ],
        { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder, ...idsOf(user) },
      )
      const settings = {
        listen_addresses: '127.0.0.1',
        port,
        unix_socket_directories: folder,
        fsync: 'off',
        full_page_writes: 'off',
        max_connections: 300,
      }
      return {
        command: [
          findPostgres('postgres') ?? '',
          '-D',
          join(folder, 'data'),
          ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
        ],
        user,
        stopSignal: 'SIGINT', // does not wait until clients disconnect
      }
    },
    isReady: (place) => letsIn(services[0]?.env(place).TEST_DATABASE_URL ?? ''),
    env: ({ port, secret }) => ({ TEST_DATABASE_URL: `postgres://postgres:${secret}@127.0.0.1:${port}/postgres` }),
  },
  {
    name: 'redis',
    variables: ['TEST_SESSION_REDIS'],
    packaged: { name: 'redis-server', isInstalled: () => isInstalled('redis-server') },
    docker: ({ port, secret }) => ({
      options: ['-p', `127.0.0.1:${port}:6379`],
      image: 'redis:8',
      args: ['redis-server', '--save', '', '--requirepass', secret],
    }),
    async local({ daemons, port, secret }) {
      const user = 'redis'
      const folder = daemons.folder('redis', user)
      const settings = join(daemons.scratch, 'redis.conf')
      writeFileSync(
        settings,
        `bind 127.0.0.1\nport ${port}\ndir ${folder}\nsave ""\nappendonly no\nrequirepass ${secret}\n`,
      )
      return { command: [findProgram('redis-server') ?? '', settings], user }
    },
    isReady: ({ port, secret }) => answers(port, `AUTH ${secret}\r\n`, '+OK'),
    env: ({ port, secret }) => ({ TEST_SESSION_REDIS: `redis://:${secret}@127.0.0.1:${port}` }),
  },
  {
    name: 'rabbitmq',
    variables: ['TEST_AMQP_URI'],
    packaged: { name: 'rabbitmq-server', isInstalled: () => isInstalled('rabbitmq-server') },
    docker: ({ port, secret }) => ({
      options: [
        '-p',
        `127.0.0.1:${port}:5672`,
        '-e',
        'RABBITMQ_DEFAULT_USER=chat',
        '-e',
        `RABBITMQ_DEFAULT_PASS=${secret}`,
      ],
      image: 'rabbitmq:4',
    }),
    async local({ daemons, port, secret }) {
      const user = 'rabbitmq'
      const folder = daemons.folder('rabbitmq', user)
      const [registryPort, distributionPort] = [await freePort(), await freePort()]
      const settings = join(daemons.scratch, 'rabbitmq.conf')
      writeFileSync(
        settings,
        `listeners.tcp.1 = 127.0.0.1:${port}\ndefault_user = chat\ndefault_pass = ${secret}\nlog.console = true\nlog.file = false\n`,
      )
      const plugins = join(daemons.scratch, 'rabbitmq-plugins')
      writeFileSync(plugins, '[].\n')
      const env = {
        PATH: process.env.PATH,
        HOME: folder, // the Erlang cookie is stored there
        RABBITMQ_NODENAME: `chat-${port}@localhost`,
        RABBITMQ_DIST_PORT: String(distributionPort),
        RABBITMQ_MNESIA_BASE: folder,
        RABBITMQ_LOG_BASE: folder,
        RABBITMQ_CONFIG_FILE: settings,
        RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
        RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
        ERL_EPMD_PORT: String(registryPort),
        ERL_EPMD_ADDRESS: '127.0.0.1',
      }
      // Erlang's port registry. If RabbitMQ started it, it would keep running after RabbitMQ has stopped.
      const isReady = () => answers(registryPort, Buffer.from([0, 1, 0x6e]), '\0')
      await daemons.start({
        name: 'epmd',
        command: [findProgram('epmd') ?? '', '-port', String(registryPort), '-address', '127.0.0.1'],
        env,
        user,
        isReady,
      })
      // The program in /usr/sbin runs only as root or rabbitmq.
      return {
        command: [findProgram('/usr/lib/rabbitmq/bin/rabbitmq-server') ?? findProgram('rabbitmq-server') ?? ''],
        env,
        user,
      }
    },
    isReady: ({ port }) => answers(port, 'AMQP\0\0\x09\x01', '\x01'),
    env: ({ port, secret }) => ({ TEST_AMQP_URI: `amqp://chat:${secret}@127.0.0.1:${port}` }),
  },
  {
    name: 's3',
    variables: ['TEST_S3_ENDPOINT', 'TEST_S3_PORT', 'TEST_S3_ACCESS_KEY', 'TEST_S3_SECRET_KEY'],
    docker: ({ port, secret }) => ({
      options: ['-p', `127.0.0.1:${port}:7070`, '-e', 'ROOT_ACCESS_KEY=chat', '-e', `ROOT_SECRET_KEY=${secret}`],
      image: 'ghcr.io/versity/versitygw:v1.8.0',
      args: ['posix', '/tmp'],
    }),
    async local({ daemons, port, secret }) {
      const folder = daemons.folder('s3')
      const [data, metadata] = [daemons.folder('s3/data'), daemons.folder('s3/metadata')]
      const env = { PATH: process.env.PATH, HOME: folder, ROOT_ACCESS_KEY: 'chat', ROOT_SECRET_KEY: secret }
      // In a folder beside the data, because not every file system has extended attributes.
      return {
        command: [await buildVersitygw(), '--port', `127.0.0.1:${port}`, 'posix', '--sidecar', metadata, data],
        env,
      }
    },
    isReady: ({ port }) => fetch(`http://127.0.0.1:${port}/`).then(() => true),
    env: ({ port, secret }) => ({
      TEST_S3_ENDPOINT: '127.0.0.1',
      TEST_S3_PORT: String(port),
      TEST_S3_ACCESS_KEY: 'chat',
      TEST_S3_SECRET_KEY: secret,
    }),
  },
]

/**
 * Starts every service that no variable names, all at once, on free ports of 127.0.0.1.
 * @throws if a service cannot be started, with what to install. Then no service is left running.
 */
export async function startServices(): Promise<Services> {
  const wanted = services.filter(({ variables: [first = ''] }) => !process.env[first])
  const hasDocker = await succeeds('docker', ['info'])
  await installMissing(wanted, hasDocker)

  const daemons = createDaemons()
  try {
    const given = services
      .flatMap(({ variables }) => variables)
      .flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))
    const started = await Promise.all(wanted.map((service) => startService(service, hasDocker, daemons)))
    const env = Object.assign(Object.fromEntries(given) as Record<string, string>, ...started) as Record<string, string>
    env.TEST_PGBOUNCER_URL =
      process.env.TEST_PGBOUNCER_URL || (await startPgbouncer(daemons, env.TEST_DATABASE_URL ?? ''))
    env.TEST_NGINX = process.env.TEST_NGINX || (hasDocker ? nginxInDocker(daemons) : (findProgram('nginx') ?? ''))
    env.TEST_CHROMIUM = process.env.TEST_CHROMIUM || (findProgram(...chromiumNames) ?? '')
    return { env, stop: () => daemons.stop() }
  } catch (error) {
    await daemons.stop()
    throw error
  }
}

/**
 * Starts one service from the programs of this machine, so that its process can be measured.
 * @param around a command in front, like `taskset`, and arguments behind, which win over those of the tests.
 * @returns its address, as `startServices` gives it, and its process id.
 */
export async function startInstalled(
  name: 'postgres' | 'redis',
  daemons: Daemons,
  around: { before?: string[]; after?: string[] } = {},
): Promise<{ url: string; pid: number }> {
  const service = services.find((service) => service.name === name)
  if (service === undefined) throw new Error(`There is no service ${name}.`)
  const missing = missingPackages([service])
  if (missing.length > 0) await installPackages(missing)
  const place: Place = { daemons, port: await freePort(), secret: randomBytes(12).toString('hex') }
  const { command, ...daemon } = await service.local(place)
  const { pid } = await daemons.start({
    name,
    ...daemon,
    command: [...(around.before ?? []), ...command, ...(around.after ?? [])],
    isReady: () => service.isReady(place),
  })
  return { url: Object.values(service.env(place))[0] ?? '', pid }
}

async function letsIn(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.end()
  return true
}

function missingPackages(wanted: Service[]): string[] {
  return wanted.flatMap(({ packaged }) => (packaged === undefined || packaged.isInstalled() ? [] : [packaged.name]))
}

async function installMissing(wanted: Service[], hasDocker: boolean) {
  const missing = hasDocker ? [] : missingPackages(wanted)
  if (!process.env.TEST_NGINX && !hasDocker && !isInstalled('nginx')) missing.push('nginx')
  if (!process.env.TEST_PGBOUNCER_URL && !isInstalled('pgbouncer')) missing.push('pgbouncer')
  if (!process.env.TEST_CHROMIUM && !isInstalled(...chromiumNames)) missing.push('chromium')
  if (missing.length > 0) await installPackages(missing)
}

async function startService(service: Service, hasDocker: boolean, daemons: Daemons): Promise<Record<string, string>> {
  const { name } = service
  const place: Place = { daemons, port: await freePort(), secret: randomBytes(12).toString('hex') }
  const isReady = () => service.isReady(place)
  const docker = hasDocker ? service.docker?.(place) : undefined
  if (docker === undefined) {
    await daemons.start({ name, isReady, ...(await service.local(place)) })
  } else {
    const { options, image, args = [] } = docker
    await daemons.start({ name, isReady, command: ['docker', 'run', '--rm', '--init', ...options, image, ...args] })
  }
  return service.env(place)
}

/** Starts a pooler in front of PostgreSQL, with the fewest possible settings. Returns the URL of the database through the pooler. */
async function startPgbouncer(daemons: Daemons, database: string): Promise<string> {
  const behind = new URL(database)
  const port = await freePort()
  const settings = join(daemons.scratch, 'pgbouncer.ini')
  const target = `host=${behind.hostname} port=${behind.port} user=${behind.username} password=${behind.password}`
  const rules = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    default_pool_size: 10,
  }
  const lines = Object.entries(rules).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(settings, `[databases]\n* = ${target}\n[pgbouncer]\n${lines.join('')}`, { mode: 0o644 })
  const url = Object.assign(new URL(database), { host: `127.0.0.1:${port}` }).href
  await daemons.start({
    name: 'pgbouncer',
    command: [findProgram('pgbouncer') ?? '', settings],
    user: 'postgres',
    isReady: () => letsIn(url),
  })
  return url
}

/** Creates a program that takes nginx's arguments, and runs nginx in a container with the same files and ports. */
function nginxInDocker(daemons: Daemons): string {
  const path = join(daemons.scratch, 'nginx')
  const seen = [process.cwd(), tmpdir()].flatMap((folder) => ['-v', `${folder}:${folder}`])
  writeFileSync(path, `#!/bin/sh\nexec docker run --rm --network host ${seen.join(' ')} nginx:1.29 nginx "$@"\n`)
  chmodSync(path, 0o755)
  return path
}
