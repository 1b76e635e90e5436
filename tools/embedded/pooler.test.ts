import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPostgres, type EmbeddedPostgres } from './postgres.js'
import { fromClient, message, query } from './pg-protocol.js'

let folder: string
let postgres: EmbeddedPostgres
let url: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chat-pooler-'))
  postgres = startPostgres(join(folder, 'postgres'))
  url = await postgres.url
})
afterAll(async () => {
  await postgres.stop()
  await rm(folder, { recursive: true })
})

async function client(): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString: url })
  connected.on('error', () => undefined)
  await connected.connect()
  return connected
}

/** A client that sends single messages of the protocol, which libraries do not allow. */
class Wire {
  #received = Buffer.alloc(0)
  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])))
    socket.on('error', () => undefined)
  }

  static async connect(): Promise<Wire> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    return new Wire(socket)
  }

  static async started(): Promise<Wire> {
    const wire = await Wire.connect()
    wire.socket.write(startup(196608, 'user\0postgres\0\0'))
    await wire.until('Z')
    return wire
  }

  /** Types of the messages that arrive, up to and including the first one of this type. */
  async until(type: string): Promise<string> {
    for (;;) {
      let types = ''
      for (let at = 0; at + 5 <= this.#received.length; at += 1 + this.#received.readUInt32BE(at + 1)) {
        types += String.fromCharCode(this.#received[at] ?? 0)
        if (!types.endsWith(type)) continue
        this.#received = this.#received.subarray(at + 1 + this.#received.readUInt32BE(at + 1))
        return types
      }
      await once(this.socket, 'data')
    }
  }
}

function startup(code: number, body = ''): Buffer {
  const bytes = Buffer.alloc(8 + body.length)
  bytes.writeUInt32BE(bytes.length, 0)
  bytes.writeUInt32BE(code, 4)
  bytes.write(body, 8)
  return bytes
}

const parse = (sql: string) => message(fromClient.parse, `\0${sql}\0\0\0`)
const bind = message(fromClient.bind, '\0\0\0\0\0\0\0\0')
const execute = message(fromClient.execute, '\0\0\0\0\0')
const flush = message(fromClient.flush)
const sync = message(fromClient.sync)

describe('many connections on one embedded database', () => {
  it('keep the sum of all money, even if clients fail or disconnect', async () => {
    const pools = [1, 2, 3].map(() => new pg.Pool({ connectionString: url, max: 8 }))
    const pool = (turn: number) => pools[turn % 3] as pg.Pool
    await pool(0).query('create table purses (id int primary key, coins int not null)')
    await pool(0).query('insert into purses select n, 1000 from generate_series(1, 20) n')

    const move = async (turn: number) => {
      const connection = await pool(turn).connect()
      await connection.query('begin')
      await connection.query('update purses set coins = coins - 1 where id = $1', [1 + (turn % 20)])
      if (turn % 10 === 0) await new Promise(setImmediate)
      await connection.query('update purses set coins = coins + 1 where id = $1', [1 + ((turn * 7) % 20)])
      await connection.query(turn % 25 === 0 ? 'rollback' : 'commit')
      connection.release()
    }
    const vanish = async () => {
      const gone = await client()
      await gone.query('begin')
      await gone.query('update purses set coins = coins - 100 where id = 1')
      gone.connection.stream.destroy()
    }
    const fail = async (turn: number) => {
      await expect(pool(turn).query('select 1 / 0')).rejects.toMatchObject({ code: '22012' })
    }
    const echo = async (turn: number) => {
      const text = 'z'.repeat((turn % 11) * 9_000)
      const { rows } = await pool(turn).query('select $1::int turn, $2::text as text, $3::jsonb json', [
        turn,
        text,
        { turn },
      ])
      expect(rows).toEqual([{ turn, text, json: { turn } }])
    }
    await Promise.all(
      Array.from({ length: 1_000 }, (_, turn) =>
        turn % 5 === 0 ? move(turn) : turn % 97 === 0 ? vanish() : turn % 7 === 0 ? fail(turn) : echo(turn),
      ),
    )

    const { rows } = await pool(0).query('select sum(coins)::int coins from purses')
    expect(rows).toEqual([{ coins: 20_000 }])
    await Promise.all(pools.map((each) => each.end()))
  })

  it('wait for the end of a transaction, and see what it committed', async () => {
    const [ann, ben] = [await client(), await client()]
    await ann.query('create table notes (text text)')
    await ann.query('begin')
    await ann.query(`insert into notes values ('hello')`)
    const seenByBen = ben.query('select text from notes')
    await ann.query('commit')
    expect((await seenByBen).rows).toEqual([{ text: 'hello' }])
    await Promise.all([ann.end(), ben.end()])
  })

  it('continue after an error inside a transaction, which changes nothing', async () => {
    const ann = await client()
    await ann.query('create table counters (n int)')
    await ann.query('begin')
    await ann.query('insert into counters values (1)')
    await expect(ann.query('insert into nowhere values (1)')).rejects.toMatchObject({ code: '42P01' })
    await expect(ann.query('select 1')).rejects.toMatchObject({ code: '25P02' })
    await ann.query('commit') // of a failed transaction: a rollback
    const ben = await client()
    expect((await ben.query('select from counters')).rowCount).toBe(0)
    await Promise.all([ann.end(), ben.end()])
  })

  it('transport a parameter of several megabytes in both directions', async () => {
    const ann = await client()
    const text = 'ё'.repeat(3_000_000)
    const { rows } = await ann.query<{ text: string }>('select $1::text as text', [text])
    expect(rows[0]?.text === text).toBe(true)
    await ann.end()
  })

  it('get an error for COPY FROM STDIN, and stay usable', async () => {
    const ann = await client()
    await ann.query('create table copies (n int)')
    await expect(ann.query('copy copies from stdin')).rejects.toThrow(/not supported by the embedded database/)
    expect((await ann.query('select from copies')).rowCount).toBe(0)
    await ann.end()
  })
})

describe('the wire protocol', () => {
  it('answers a Flush at once, and keeps the backend until the Sync', async () => {
    const wire = await Wire.started()
    wire.socket.write(Buffer.concat([parse('select 1'), flush]))
    expect(await wire.until('1')).toBe('1')
    const ben = await client()
    const other = ben.query('select 2 as two') // would replace the unnamed statement
    wire.socket.write(Buffer.concat([bind, execute, flush]))
    expect(await wire.until('C')).toBe('2DC')
    wire.socket.write(sync)
    expect(await wire.until('Z')).toBe('Z')
    expect((await other).rows).toEqual([{ two: 2 }])
    await ben.end()
    wire.socket.destroy()
  })

  it('answers messages that were sent without waiting, in order', async () => {
    const wire = await Wire.started()
    wire.socket.write(
      Buffer.concat([
        query('select 1'),
        parse('select 1 / 0'),
        bind,
        execute,
        sync,
        query('select 2'),
        query('select 3'),
      ]),
    )
    expect([await wire.until('Z'), await wire.until('Z'), await wire.until('Z'), await wire.until('Z')]).toEqual([
      'TDCZ',
      '1EZ',
      'TDCZ',
      'TDCZ',
    ])
    wire.socket.destroy()
  })

  it('puts together a message that arrives byte by byte', async () => {
    const wire = await Wire.started()
    for (const byte of query('select 1')) {
      wire.socket.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    expect(await wire.until('Z')).toBe('TDCZ')
    wire.socket.destroy()
  })

  it.each([
    ['in a transaction', Buffer.concat([query('begin'), query('insert into leavers values (1)')]), 'ZZ'],
    [
      'after an error without a Sync',
      Buffer.concat([query('begin'), query('insert into leavers values (1)'), parse('select nothing'), flush]),
      'ZZE',
    ],
    [
      'in the middle of a message',
      Buffer.concat([query('begin'), query('insert into leavers values (1)'), query('commit').subarray(0, 8)]),
      'ZZ',
    ],
  ])('rolls back for a client that disconnects %s', async (_when, bytes, answers) => {
    const ben = await client()
    await ben.query('create table if not exists leavers (n int)')
    const wire = await Wire.started()
    wire.socket.write(bytes)
    for (const type of answers) await wire.until(type)
    wire.socket.destroy()
    expect((await ben.query('select from leavers')).rowCount).toBe(0)
    await ben.end()
  })

  it('refuses encryption, and continues without it', async () => {
    const wire = await Wire.connect()
    wire.socket.write(startup(80877103))
    const [answer] = (await once(wire.socket, 'data')) as [Buffer]
    expect(answer.toString()).toBe('N')
    wire.socket.destroy()
    const ann = new pg.Client({
      connectionString: url,
      ssl: false,
      statement_timeout: 1_000,
      application_name: 'a test',
    })
    await ann.connect()
    await ann.end()
  })

  it.each([
    ['a request to cancel', startup(80877102, 'whatever')],
    ['a web browser', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['an unheard-of version of the protocol', startup(2 << 16)],
  ])('hangs up on %s', async (_who, bytes) => {
    const wire = await Wire.connect()
    wire.socket.write(bytes)
    wire.socket.resume()
    await once(wire.socket, 'close')
    const ben = await client()
    expect((await ben.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await ben.end()
  })

  it('disconnects at a message for which the backend would wait for ever', async () => {
    const wire = await Wire.started()
    wire.socket.write(Buffer.concat([message(0x3f, 'what?'), query('select 1')]))
    expect(await wire.until('E')).toBe('E')
    await once(wire.socket, 'close')
    const ben = await client()
    expect((await ben.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await ben.end()
  })
})
