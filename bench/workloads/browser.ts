import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium, type Browser, type Page } from 'playwright-core'
import { io } from 'socket.io-client'
import { chromiumNames } from '../../tools/services/services.js'
import { findProgram } from '../../tools/services/programs.js'
import type { Person } from '../generator.js'
import type { Figure, Workload } from '../measurement.js'
import { quantile } from '../statistics.js'
import { fill } from './history.js'

const messages = 10_000
const slowdown = 4
// What Lighthouse calls slow 4G, and called fast 3G before.
const line = { offline: false, latency: 150, downloadThroughput: 1_638_400 / 8, uploadThroughput: 750_000 / 8 }

export const browser: Workload = {
  name: 'browser',
  title: 'In the browser',
  about: `One person in a room with ${messages.toLocaleString('en')} messages, in Chromium on a processor that is made ${slowdown} times slower. Tasks and frames are those of the browser’s own trace; the first load has an empty cache and a line of 1.6 Mbit/s with 150 ms of delay.`,
  candidates: ['chat'],
  async measure({ start, isQuick }) {
    const { stage } = await start({ rooms: 1, people: [{ room: 0 }, { room: 0 }] })
    const [reader, writer] = stage.people
    const roomId = reader?.rooms[0]
    if (reader === undefined || writer === undefined || roomId === undefined || !stage.database) return []
    await fill(stage.database.query, roomId, messages)
    const { host } = new URL(stage.history)
    const executablePath = findProgram(...chromiumNames)
    if (executablePath === undefined) throw new Error('Install Chromium to measure what happens in a browser.')
    const program = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking', `--host-resolver-rules=MAP chat.test:80 ${host}`],
    })
    try {
      const page = await openPage(program, reader)
      return [
        ...(await firstLoad(page, roomId)),
        ...(await typing(program, page, isQuick ? 10 : 50)),
        ...(await arrivals(program, page, writer, isQuick ? 10 : 50)),
        ...(await scrolling(program, page, isQuick ? 5_000 : 40_000)),
      ]
    } finally {
      await program.close()
    }
  },
}

async function openPage(program: Browser, { headers }: Person): Promise<Page> {
  const context = await program.newContext({ viewport: { width: 1280, height: 800 } })
  const [name = '', value = ''] = (headers.Cookie ?? '').split('=')
  await context.addCookies([{ name, value, url: headers.Origin ?? '' }])
  const page = await context.newPage()
  const session = await context.newCDPSession(page)
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown })
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', line)
  return page
}

async function firstLoad(page: Page, roomId: string): Promise<Figure[]> {
  await page.goto(`http://chat.test/rooms/${roomId}`)
  await page.locator(`[data-seq="${messages}"]`).waitFor()
  const largest = await page.evaluate<number>(
    `new Promise((resolve) =>
      new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
        .observe({ type: 'largest-contentful-paint', buffered: true }))`,
  )
  return [{ metric: 'first load, largest paint', unit: 'ms', value: largest }]
}

async function typing(program: Browser, page: Page, letters: number): Promise<Figure[]> {
  await page.getByRole('textbox', { name: 'Message', exact: true }).focus()
  const trace = await traced(program, page, () => page.keyboard.type('x'.repeat(letters), { delay: 100 }))
  return costOf('a letter typed', trace, letters)
}

async function arrivals(program: Browser, page: Page, { url, headers, rooms }: Person, count: number) {
  const socket = io(new URL(url).origin, { transports: ['websocket'], extraHeaders: headers })
  try {
    const trace = await traced(program, page, async () => {
      for (let n = 1; n <= count; n += 1) {
        await socket.emitWithAck('message:post', {
          roomId: rooms[0],
          id: randomUUID(),
          body: `news ${n} `.padEnd(120, 'x'),
        })
        await sleep(100)
      }
      await page.locator(`[data-seq="${messages + count}"]`).waitFor()
    })
    return costOf('a message that arrives', trace, count)
  } finally {
    socket.disconnect()
  }
}

const costOf = (what: string, { tasks, calls }: { tasks: number[]; calls: number[] }, count: number): Figure[] => [
  { metric: `${what}, all tasks of the page`, unit: 'ms', value: sum(tasks) / count },
  { metric: `${what}, its script alone`, unit: 'ms', value: sum(calls) / count },
]

/** Scrolls up and down, as with a finger. */
async function scrolling(program: Browser, page: Page, pixels: number): Promise<Figure[]> {
  const session = await page.context().newCDPSession(page)
  const [tasks, frames, inPage]: [number[], number[], number[]] = [[], [], []]
  for (const yDistance of [pixels, -pixels]) {
    const gesture = { x: 640, y: 400, yDistance, speed: 2_000 }
    const trace = await traced(program, page, () => session.send('Input.synthesizeScrollGesture', gesture))
    tasks.push(...trace.tasks)
    frames.push(...trace.frames)
    inPage.push(await page.locator('[data-seq]').count())
  }
  return [
    { metric: 'scrolling, median frame', unit: 'ms', value: quantile(frames, 0.5) },
    { metric: 'scrolling, frames over 50 ms', unit: '', value: frames.filter((frame) => frame > 50).length },
    { metric: 'scrolling, longest task', unit: 'ms', value: Math.max(...tasks) },
    { metric: 'messages in the page at most', unit: '', value: Math.max(...inPage) },
  ]
}

interface TraceEvent {
  name: string
  pid: number
  tid: number
  /** In µs. */
  ts: number
  dur?: number
  args?: { name?: string }
}

/** The tasks of the page’s main thread during `work`, its calls of script and the times between its frames, in ms. */
async function traced(program: Browser, page: Page, work: () => Promise<unknown>) {
  await program.startTracing(page, {
    categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline.frame'],
  })
  await work()
  const { traceEvents } = JSON.parse((await program.stopTracing()).toString()) as { traceEvents: TraceEvent[] }
  const main = traceEvents
    .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
    .map(({ pid, tid }) => {
      const own = traceEvents.filter((event) => event.pid === pid && event.tid === tid)
      const times = (of: string) => own.filter(({ name }) => name.endsWith(of)).map(({ dur = 0 }) => dur / 1000)
      return { pid, tasks: times('::RunTask'), calls: times('FunctionCall') }
    })
    // There may be another renderer, which does nothing.
    .sort((a, b) => sum(b.tasks) - sum(a.tasks))[0]
  if (main === undefined) throw new Error('The trace has no main thread.')
  const drawn = traceEvents
    .filter(({ name, pid }) => name === 'DrawFrame' && pid === main.pid)
    .map(({ ts }) => ts / 1000)
  drawn.sort((a, b) => a - b)
  return { ...main, frames: drawn.slice(1).map((at, index) => at - (drawn[index] ?? at)) }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
