import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Router } from 'express'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { createApp } from './app.js'
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
