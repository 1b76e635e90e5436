import { randomBytes, randomUUID } from 'node:crypto'
import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from '../../apps/server/src/test/free-port.js'
import { createDaemons, type Running } from '../services/daemons.js'
import { ingressConfig, webConfig } from './nginx-config.js'

export interface Stack {
  /** The URL of nginx, which people use. */
  url: string
  databaseUrl: string
  /** The folder with the assets that nginx serves. */
  assets: string
  replicas: Replica[]
  worker: Running
  stop(): Promise<void>
}

/** One of several servers. */
export interface Replica {
  /** Its own URL, which does not lead through nginx. */
  url: string
  /** Stops it. Default signal: SIGTERM. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, on the same port. */
  start(): Promise<void>
}

const project = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Starts the builds of the whole chat as they run in a cluster: a separate database with the fixtures, servers and a worker
 * in production mode, nginx as in the image `web`, and a second nginx in front instead of the ingress. The URLs of the
 * services come from the environment (see with-services.ts).
 * @param env additional variables.
 */
export async function startStack({
  replicas: count = 2,
  env: more = {},
}: { replicas?: number; env?: NodeJS.ProcessEnv } = {}): Promise<Stack> {
  const given = (name: string) => {
    const value = process.env[name]
    if (!value)
      throw new Error(`${name} is missing: run these tests through npm test, or npx vitest run --project browser`)
    return value
  }
  const daemons = createDaemons()
  const name = `stack_${randomUUID().replaceAll('-', '')}`
  const databaseUrl = Object.assign(new URL(given('TEST_DATABASE_URL')), { pathname: `/${name}` }).href
  const atServer = async (sql: string) => {
    const client = new pg.Client({ connectionString: given('TEST_DATABASE_URL') })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    METRICS_PORT: '0',
    PUBLIC_URL: url,
    TRUSTED_PROXIES: '1',
    COOKIE_SECRET: randomBytes(32).toString('hex'),
    DATABASE_URL: databaseUrl,
    SESSION_REDIS: given('TEST_SESSION_REDIS'),
    AMQP_URI: given('TEST_AMQP_URI'),
    S3_ENDPOINT: given('TEST_S3_ENDPOINT'),
    S3_PORT: given('TEST_S3_PORT'),
    S3_SSL: 'false',
    S3_ACCESS_KEY: given('TEST_S3_ACCESS_KEY'),
    S3_SECRET_KEY: given('TEST_S3_SECRET_KEY'),
    S3_BUCKET: name.replaceAll('_', '-'),
    DRAIN_MS: '0',
    LIMIT_SIGN_IN: '1000/60',
    LIMIT_SIGN_UP: '1000/60',
    LIMIT_GUESS: '1000/60',
    LIMIT_INVITE: '1000/60',
    LIMIT_ROOM: '1000/60',
    ...(more.MAILGUN_APIKEY === undefined && { MAILER: 'mailbox' }),
    ...more,
  }

  try {
    await atServer(`create database ${name}`)
    for (const task of ['migrate', 'fixtures', 'bucket']) {
      await promisify(execFile)(process.execPath, ['apps/server/dist/cli.js', task], { env, cwd: project })
    }

    const startReplica = async (_: unknown, index: number): Promise<Replica & { port: number }> => {
      const own = await freePort()
      const address = `http://127.0.0.1:${own}`
      const start = () =>
        daemons.start({
          name: `server-${index + 1}`,
          command: [process.execPath, join(project, 'apps/server/dist/main.js')],
          env: { ...env, PORT: String(own) },
          isReady: () => isOk(`${address}/readyz`),
        })
      let running = await start()
      return {
        url: address,
        port: own,
        stop: (signal) => running.stop(signal),
        start: async () => void (running = await start()),
      }
    }
    const startWorker = async () => {
      const own = await freePort()
      return daemons.start({
        name: 'worker',
        command: [process.execPath, join(project, 'apps/worker/dist/main.js')],
        env: { ...env, METRICS_PORT: String(own) },
        isReady: () => isOk(`http://127.0.0.1:${own}/readyz`),
      })
    }
    const [worker, ...replicas] = await Promise.all([startWorker(), ...Array.from({ length: count }, startReplica)])

    const startNginx = async (name: string, address: string, configure: (folder: string) => string) => {
      const config = join(daemons.scratch, `${name}.conf`)
      writeFileSync(config, configure(daemons.folder(name)))
      await daemons.start({
        name,
        command: [given('TEST_NGINX'), '-e', 'stderr', '-c', config],
        stopSignal: 'SIGQUIT',
        isReady: () => isOk(address),
      })
    }
    const servers = replicas.map((replica) => replica.port)
    const root = daemons.folder('html')
    cpSync(join(project, 'apps/web/dist/assets'), join(root, 'assets'), { recursive: true })
    writeFileSync(join(root, 'assets/config.json'), JSON.stringify({ domain: '', loginUrl: '/sign-in' }))
    const web = await freePort()
    await startNginx('web', `http://127.0.0.1:${web}/healthz`, (folder) =>
      webConfig({ port: web, folder, root, server: servers[0] ?? 0 }),
    )
    await startNginx('ingress', `${url}/readyz`, (folder) => ingressConfig({ port, folder, web, servers }))
    return {
      url,
      databaseUrl,
      assets: join(root, 'assets'),
      replicas,
      worker,
      async stop() {
        await daemons.stop()
        await atServer(`drop database ${name} with (force)`)
      },
    }
  } catch (error) {
    await daemons.stop()
    throw error
  }
}

async function isOk(url: string): Promise<boolean> {
  return (await fetch(url)).ok
}
