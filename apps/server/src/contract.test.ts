import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Router } from 'express'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { createApp } from './app.js'
import { packPosted, unpackPosted, type Complete, type Message, type Person, type PostedNews } from './contract.js'
import { readConfig } from './config.js'
import { reasons, type ErrorCode } from './contract.js'
import { statusOf } from './platform/errors.js'

const protocol = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
const contract = fileURLToPath(new URL('./contract.ts', import.meta.url))

/** The rows of the table whose first column has this heading. Each row is a list of cells. */
function table(heading: string): string[][] {
  const lines = protocol.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`))
  const rows = lines.slice(start + 2)
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}
const code = (cell = '') => /`([^`]+)`/.exec(cell)?.[1] ?? ''
const names = (cell = '') => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
/** `{roomId, id, body, replyTo?}` → its fields, sorted. */
const fields = (text: string) =>
  (/\{([^}]*)\}/.exec(text)?.[1] ?? '')
    .split(',')
    .map((field) => field.trim().replace('?', ''))
    .filter(Boolean)
    .sort()

const program = ts.createProgram([contract], { strict: true, skipLibCheck: true })
const checker = program.getTypeChecker()
const exported = new Map(
  checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(contract) as ts.SourceFile) as ts.Symbol)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .map((symbol) => [symbol.name, checker.getDeclaredTypeOfSymbol(symbol)]),
)
const propertiesOf = (type: ts.Type | undefined) => (type === undefined ? [] : checker.getPropertiesOfType(type))
const fieldsOf = (name: string) => propertiesOf(exported.get(name)).map((property) => property.name)

/** Each event of an interface of listeners, with the fields of its payload. */
function events(interfaceName: string): Record<string, string[]> {
  return Object.fromEntries(
    propertiesOf(exported.get(interfaceName)).map((event) => {
      const [payload] = checker.getTypeOfSymbol(event).getCallSignatures()[0]?.getParameters() ?? []
      return [
        event.name,
        propertiesOf(payload === undefined ? undefined : checker.getTypeOfSymbol(payload))
          .map((field) => field.name)
          .sort(),
      ]
    }),
  )
}

describe('a reason', () => {
  it('belongs to one code', () => {
    const all = Object.values(reasons).flat()
    expect(all).toEqual([...new Set(all)])
  })
})

describe('docs/protocol.md', () => {
  it('lists the events that clients may send, with their payloads', () => {
    expect(
      Object.fromEntries(table('→ event').map(([event, payload]) => [code(event), fields(payload ?? '')])),
    ).toEqual(events('ClientToServerEvents'))
  })

  it('lists the events that clients receive, with their payloads', () => {
    expect(
      Object.fromEntries(table('← event').map(([event, payload]) => [code(event), fields(payload ?? '')])),
    ).toEqual(events('ServerToClientEvents'))
  })

  it('lists the fields of every type it mentions', () => {
    const types = Object.fromEntries(table('type').map(([type, list]) => [code(type), names(list)]))
    for (const [type, list] of Object.entries(types)) expect([type, list.sort()]).toEqual([type, fieldsOf(type).sort()])
    const mentioned = new Set(
      [...protocol.matchAll(/`(?:\{\w+: )?([A-Z]\w+)(?:\[\]\})?`/g)]
        .map(([, type = '']) => type)
        .filter((type) => exported.has(type)),
    )
    expect(Object.keys(types)).toEqual(expect.arrayContaining([...mentioned]))
  })

  it('lists every error code with its reasons', () => {
    expect(table('code').map(([cell, status, list]) => [code(cell), Number(status), names(list)])).toEqual(
      Object.entries(reasons)
        .map(([code, list]) => [code, statusOf(code as ErrorCode), [...list]] as const)
        .sort(([, a], [, b]) => a - b),
    )
  })

  it('lists exactly the routes that exist', () => {
    const config = readConfig({
      DATABASE_URL: 'postgres://localhost/none',
      COOKIE_SECRET: 'sixteen characters or more',
    })
    const there = routes(createApp(config).express.router).filter(
      (route) => !/^GET (\/|\/sign-in|\/sign-up|\/profile|\/rooms\/:id(\/:seq)?)$/.test(route),
    )
    expect(
      table('request')
        .map(([request]) => code(request))
        .sort(),
    ).toEqual(there.sort())
  })
})

describe('packed news of messages', () => {
  const [ann, ben]: Person[] = [
    { id: 'ann', name: 'Ann', avatarUrl: null },
    { id: 'ben', name: 'Ben', avatarUrl: '/avatars/ben.webp', bot: true },
  ]
  const fresh: Omit<Complete<Message>, 'seq' | 'author'> = {
    id: 'an id',
    body: 'hello',
    postedAt: '2026-11-30T12:00:00.000Z',
    replyTo: null,
    editedAt: null,
    deleted: false,
    mentions: [],
    reactions: [],
    version: 0,
  }
  const messages: Message[] = [
    { ...fresh, seq: 1, author: ann! },
    { ...fresh, seq: 2, author: ben!, replyTo: 1 },
    { ...fresh, seq: 3, author: ann!, body: '', deleted: true, version: 4 },
    { ...fresh, seq: 4, author: { ...ann!, name: 'Anna' }, editedAt: fresh.postedAt, version: 5 },
    { ...fresh, seq: 5, author: ben!, reactions: [{ emoji: '👍', people: [{ id: 'ann', name: 'Anna' }] }], version: 6 },
    { ...fresh, seq: 6, author: ben!, body: '@Ann', mentions: [{ id: 'ann', name: 'Anna', written: 'Ann' }] },
  ]

  it('are the same messages when they are unpacked', () => {
    const news = { roomId: 'a room', messages }
    expect(unpackPosted(JSON.parse(JSON.stringify(packPosted(news))) as PostedNews)).toEqual(news)
  })

  it('name each author once, and leave out what is as in every new message', () => {
    const { people, messages: packed } = packPosted({ roomId: 'a room', messages: messages.slice(0, 3) })
    expect(people).toEqual([ann, ben])
    const { id, body, postedAt } = fresh
    expect(packed).toEqual([
      { seq: 1, id, author: 0, body, postedAt },
      { seq: 2, id, author: 1, body, postedAt, replyTo: 1 },
      { seq: 3, id, author: 0, body: '', postedAt, deleted: true, version: 4 },
    ])
  })
})

interface Layer {
  route?: { path: string | string[]; methods: Record<string, boolean> }
  handle: Router
}

/** All routes, like `GET /api/me`, also those of nested routers. */
function routes(router: Router): string[] {
  return (router.stack as unknown as Layer[]).flatMap(({ route, handle }) => {
    if (route === undefined) return 'stack' in handle ? routes(handle) : []
    return [route.path]
      .flat()
      .flatMap((path) => Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${path}`))
  })
}
