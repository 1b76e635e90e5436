/** What is measured: the chat, and what it is compared with. Each is started anew for each measurement. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { freePort } from '../apps/server/src/test/free-port.js'
import type { Daemons } from '../tools/services/daemons.js'
import { startChat } from './candidates/chat.js'
import type { Dialect, Person } from './generator.js'
import { pins } from './machine.js'

/** What the candidates share in one run of the benchmark. */
export interface Context {
  daemons: Daemons
  postgres: { url: string; pid: number }
  redis: { url: string; pid: number }
  /** Paths of the built Go programs. */
  programs: { generator: string; centrifuge: string }
  /** The checkout of the candidate chat-at, when it takes part. */
  earlier?: string
}

/** Who is there: each person in one room, and on one replica where there are several. */
export interface Setting {
  rooms: number
  people: { room: number; replica?: number }[]
  replicas?: number
  /** Have PostgreSQL count the statements of this database. */
  countStatements?: boolean
}

/** A candidate that runs. */
export interface Stage {
  people: Person[]
  /** Process ids by what they are: server, and where there are any postgres and redis. */
  groups: Record<string, number[]>
  /** Origin of the pages of history; empty where nothing is stored. */
  history: string
  replicas: { origin: string; pid: number }[]
  database?: { url: string; query: (sql: string) => Promise<Record<string, unknown>[]> }
  stop(): Promise<void>
}

export interface Candidate {
  name: string
  /** One line for the page of results. */
  about: string
  dialect: Dialect
  /** Do messages have numbers without holes in each room? */
  hasSeq: boolean
  isDurable: boolean
  start(context: Context, setting: Setting): Promise<Stage>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** @param ref the commit of the candidate chat-at. */
export function createCandidates(ref: string): Candidate[] {
  const chat = { dialect: 'socket.io', hasSeq: true, isDurable: true } as const
  const memory = { hasSeq: false, isDurable: false } as const
  return [
    {
      ...chat,
      name: 'chat',
      about: 'This chat, as it is',
      start: (context, setting) => startChat(root, context, setting),
    },
    {
      ...chat,
      name: 'chat-at',
      about: `This chat as it was at ${ref.slice(0, 8)}, when each message had a frame and a commit of its own`,
      start: (context, setting) => startChat(context.earlier ?? root, context, setting),
    },
    {
      ...memory,
      name: 'socketio',
      about: 'A plain Socket.IO broadcaster, which stores nothing',
      dialect: 'socket.io',
      start: (context, setting) => startProgram(context, setting, script('socketio'), socketIOPath),
    },
    {
      ...memory,
      name: 'ws',
      about: 'The library ws alone, which frames a message once and stores nothing',
      dialect: 'ws',
      start: (context, setting) => startProgram(context, setting, script('ws'), '/?'),
    },
    ...[0, 10].map((delay): Candidate => ({
      ...memory,
      name: delay === 0 ? 'centrifuge' : `centrifuge-${delay}ms`,
      about: `Centrifuge, in Go, ${delay === 0 ? 'without delay' : `which collects messages for ${delay} ms`}, and stores nothing`,
      dialect: 'centrifuge',
      start: (context, setting) =>
        startProgram(context, setting, [context.programs.centrifuge], '/connection?', { WRITE_DELAY: `${delay}ms` }),
    })),
    {
      name: 'tutorial',
      about: 'What Socket.IO’s tutorial guarantees, on SQLite with a write-ahead log and an fsync for each commit',
      dialect: 'socket.io',
      hasSeq: false,
      isDurable: true,
      start: (context, setting) =>
        startProgram(context, setting, script('tutorial'), socketIOPath, {
          SQLITE_FILE: join(context.daemons.scratch, `tutorial-${Date.now()}.sqlite`),
        }),
    },
  ]
}

/** The candidate of the teeth, with its fault. */
export function createRelay(fault: string): Candidate {
  return {
    name: fault,
    about: 'A relay with a fault',
    dialect: 'ws',
    hasSeq: true,
    isDurable: true,
    start: (context, setting) => startProgram(context, setting, script('relay'), '/?', { FAULT: fault }),
  }
}

const socketIOPath = '/socket.io/?EIO=4&transport=websocket&'
const script = (name: string) => [
  process.execPath,
  '--import',
  tsx,
  fileURLToPath(new URL(`./candidates/${name}.ts`, import.meta.url)),
]

async function startProgram(
  { daemons }: Context,
  { people, rooms }: Setting,
  command: string[],
  path: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Stage> {
  const port = await freePort()
  const origin = `127.0.0.1:${port}`
  const running = await daemons.start({
    name: `candidate-${port}`,
    command: [...pins.server, ...command],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...env },
    isReady: () => isOk(`http://${origin}/readyz`),
  })
  const ids = Array.from({ length: rooms }, (_, room) => `r${room}`)
  return {
    people: people.map(({ room }) => ({
      url: `ws://${origin}${path}rooms=${ids[room]}`,
      headers: {},
      rooms: [ids[room] ?? ''],
    })),
    groups: { server: [running.pid] },
    history: `http://${origin}`,
    replicas: [{ origin, pid: running.pid }],
    stop: () => running.stop('SIGKILL'),
  }
}

export async function isOk(url: string): Promise<boolean> {
  return (await fetch(url)).ok
}

/** A checkout of another commit, with its server built, which is there until it is removed. */
export function checkOut(ref: string, { scratch }: Daemons): { directory: string; remove: () => void } {
  const directory = join(scratch, 'chat-at')
  const run = (cwd: string, program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  run(root, 'git', 'worktree', 'add', '--quiet', '--detach', directory, ref)
  const remove = () => run(root, 'git', 'worktree', 'remove', '--force', directory)
  try {
    run(directory, 'npm', 'ci', '--prefer-offline', '--no-audit', '--no-fund')
    run(directory, 'npm', 'run', 'build:server')
  } catch (error) {
    remove()
    throw error
  }
  return { directory, remove }
}
