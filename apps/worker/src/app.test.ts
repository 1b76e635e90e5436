import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '@chat/server/config'
import { consumerEvents } from '@chat/server/consumers'
import { listMails } from '@chat/server/mail/mailbox-mailer'
import { retryDelaysMs } from '@chat/server/events/bus'
import { newPerson, nextNews, startChat, type Chat } from '@chat/server/test/chat'
import type { Log } from '@chat/server/platform/log'
import { quiet } from '@chat/server/test/database'
import { eventually } from '@chat/server/test/eventually'
import { run } from '@chat/server/test/process'
import { startProxy, type Proxy } from '@chat/server/test/proxy'
import { removeQueues } from '@chat/server/test/rabbitmq'
import { greeterId } from '@chat/server/greeter/greet-newcomer'
import { createWorker, type Worker } from './app.js'

// `eventually` has its own timeout.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const uri = process.env.TEST_AMQP_URI ?? ''
const redis = process.env.TEST_SESSION_REDIS

describe('a worker', () => {
  it('says that it is not needed without RabbitMQ', () => {
    const config = readConfig({
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      COOKIE_SECRET: 'a secret for tests only',
    })
    expect(() => createWorker(config)).toThrow('run no worker')
  })

  it('exits at once when its environment is not complete, and says what is missing', async () => {
    const program = run('apps/worker/src/main.ts', [], { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' })
    expect(await program.exited).toBe(1)
    expect(program.output()).toContain('COOKIE_SECRET is missing')
  })
})

describe.runIf(uri !== '')('a chat with workers', () => {
  let chat: Chat
  let proxy: Proxy
  let queuePrefix: string
  let workers: Worker[]

  beforeEach(async () => {
    const { hostname, port } = new URL(uri)
    proxy = await startProxy({ host: hostname, port: Number(port === '' ? 5672 : port) })
    chat = await startChat({ AMQP_URI: uri })
    queuePrefix = `test-${randomUUID()}`
    workers = []
  })
  afterEach(async () => {
    await proxy.mend()
    await Promise.all(workers.map((worker) => worker.stop()))
    await chat.stop()
    await proxy.close()
    await removeQueues(uri, queuePrefix, Object.keys(consumerEvents), retryDelaysMs)
  })

  async function startWorker(log: Log = quiet): Promise<Worker> {
    const through = new URL(uri)
    through.host = `127.0.0.1:${proxy.port}`
    const config = readConfig({
      DATABASE_URL: chat.database.url,
      COOKIE_SECRET: 'a secret for tests only',
      AMQP_URI: through.href,
      METRICS_PORT: '0',
      PUBLIC_URL: 'https://chat.example',
      ...(redis !== undefined && { SESSION_REDIS: redis }),
    })
    const worker = createWorker(config, { log, queuePrefix })
    workers.push(worker)
    await worker.start()
    return worker
  }

  it('sends the welcome mail to a new account', async () => {
    await startWorker()
    const ann = await newPerson(chat.url, 'Ann')
    await eventually(async () => {
      expect(await listMails(chat.database.db, ann.account.email, 10)).toMatchObject([
        { body: expect.stringContaining('https://chat.example') as string },
      ])
    })
  })

  it('greets a person who joins a room, with a message that all members get', async () => {
    await startWorker()
    const [ann, ben] = [await newPerson(chat.url, 'Ann'), await newPerson(chat.url, 'Ben')]
    const room = await ann.openRoom()
    const socket = await ann.connect()
    const greeted =
      redis === undefined ? undefined : nextNews(socket, 'messages:posted', ({ roomId }) => roomId === room.id)
    await ben.join(room.id)
    if (greeted !== undefined)
      expect((await greeted).messages).toMatchObject([{ author: { id: greeterId }, body: 'Welcome, Ben!' }])
    await eventually(async () =>
      expect(await ann.history(room.id)).toMatchObject([{ author: { id: greeterId }, body: 'Welcome, Ben!' }]),
    )
    ann.leave()
  })

  it('handles each event once with two workers and a connection that is cut again and again', async () => {
    await startWorker()
    await startWorker()
    const ann = await newPerson(chat.url, 'Ann')
    const room = await ann.openRoom()
    const people = []
    for (let n = 0; n < 12; n += 1) {
      const person = await newPerson(chat.url, 'Ben')
      await person.join(room.id)
      people.push(person)
      if (n % 4 === 3) proxy.cut()
    }
    await eventually(async () => {
      expect(await chat.database.db.query('select from outbox')).toEqual([])
      expect(await ann.history(room.id)).toHaveLength(people.length)
      expect(await listMails(chat.database.db, null, 100)).toHaveLength(people.length + 1)
    })
  })

  it('handles no events before the database has the schema of its release', async () => {
    const rename = (from: string, to: string) =>
      chat.database.db.query('update pgmigrations set name = $2 where name = $1', [from, to])
    await rename('0007_presence', 'not yet')
    const lines: string[] = []
    const started = startWorker(pino({}, { write: (line: string) => void lines.push(line) }))
    await eventually(() => expect(lines.join('')).toContain('waiting for the schema of this release'))
    const ann = await newPerson(chat.url, 'Ann')
    expect(await chat.database.db.query('select type from outbox')).toEqual([{ type: 'account.registered' }])
    await rename('not yet', '0007_presence')
    await started
    await eventually(async () => expect(await listMails(chat.database.db, ann.account.email, 10)).toHaveLength(1))
  })

  it('can be told to stop while it waits for the schema', async () => {
    await chat.database.db.query(`update pgmigrations set name = 'not yet' where name = '0007_presence'`)
    const program = run('apps/worker/src/main.ts', [], {
      DATABASE_URL: chat.database.url,
      COOKIE_SECRET: 'a secret for tests only',
      AMQP_URI: uri,
      METRICS_PORT: '0',
    })
    await program.said('waiting for the schema of this release')
    program.child.kill('SIGTERM')
    expect(await program.exited).toBe(0)
  })

  it('stops cleanly when told to, also while RabbitMQ is out of reach', async () => {
    await proxy.refuse()
    const program = run('apps/worker/src/main.ts', [], {
      DATABASE_URL: chat.database.url,
      COOKIE_SECRET: 'a secret for tests only',
      AMQP_URI: `amqp://127.0.0.1:${proxy.port}`,
      METRICS_PORT: '0',
    })
    await program.said('working')
    program.child.kill('SIGTERM')
    expect(await program.exited).toBe(0)
  })

  it('handles the events of an outage of RabbitMQ after the outage', async () => {
    await proxy.refuse()
    const worker = await startWorker()
    const ready = () => fetch(`http://127.0.0.1:${worker.opsPort}/readyz`)
    const ann = await newPerson(chat.url, 'Ann')
    expect((await ready()).status).toBe(503)
    expect((await fetch(`http://127.0.0.1:${worker.opsPort}/healthz`)).status).toBe(200)
    await proxy.mend()
    await eventually(async () => expect(await listMails(chat.database.db, ann.account.email, 10)).toHaveLength(1))
    expect((await ready()).status).toBe(200)
  })
})
