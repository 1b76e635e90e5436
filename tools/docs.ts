/**
 * `npm run docs`: writes docs/reference/values.md from the comments of the chart's values.yaml and those of its subcharts,
 * and docs/reference/schema.sql from an embedded database that has the migrations.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { createDatabase } from '../apps/server/src/platform/db.js'
import { createLog } from '../apps/server/src/platform/log.js'
import { migrate } from '../apps/server/src/platform/schema.js'
import { startPostgres } from './embedded/postgres.js'
import { schemaPage } from './schema.js'

/** A value with a `# --` comment that explains it. */
export interface Value {
  /** The name on the command line, like `app.s3.endpoint`. */
  path: string
  value: unknown
  meaning: string
}

type Values = Record<string, unknown>

const root = fileURLToPath(new URL('..', import.meta.url))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  write('docs/reference/values.md', valuesPage())
  write('docs/reference/schema.sql', await schemaOfMigrations())
}

function write(file: string, text: string) {
  writeFileSync(join(root, file), text)
  process.stdout.write(`Wrote ${file}\n`)
}

async function schemaOfMigrations(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-schema-'))
  const postgres = startPostgres(join(folder, 'postgres'))
  try {
    const url = await postgres.url
    const db = createDatabase({ url, poolSize: 2, onIdleError: () => undefined })
    await migrate({ databaseUrl: url, db, log: createLog({ name: 'docs', level: 'warn' }) })
    return await schemaPage(db).finally(() => db.close())
  } finally {
    await postgres.stop()
    rmSync(folder, { recursive: true })
  }
}

/** The text of docs/reference/values.md for the present chart. */
export function valuesPage(): string {
  const ofChart = explainedIn(readValues('.helm/values.yaml'))
  const known = new Set(ofChart.map(({ path }) => path))
  const subcharts = readdirSync(join(root, '.helm/charts')).sort()
  const sections = subcharts.map((name) => {
    // The global values of a subchart are those of the chart.
    const values = explainedIn(readValues(`.helm/charts/${name}/values.yaml`))
    const seenFromChart = values.map((value) => ({ ...value, path: value.path.replace(/^(?!global\.)/, `${name}.`) }))
    return `## ${name}\n\n${table(seenFromChart.filter(({ path }) => !known.has(path)))}`
  })
  return (
    [
      '# Values of the chart',
      '<!-- Written by `npm run docs` from .helm/values.yaml and .helm/charts/*/values.yaml: change the comments there. -->',
      [
        'This page lists the values of the chart. Set them with `--values FILE` or `--set name=value`, with werf and with Helm. A name that ends in ENV has',
        'one value per environment: `server.replicas.production`, or `server.replicas._default` for environments without a value. *Secret* values belong in',
        'an encrypted file ([secrets](../deploy.md#secrets)). The chart refuses every other name. [Variables](variables.md) shows which variable a value sets.',
      ].join('\n'),
      `## The chart\n\n${table(ofChart)}`,
      ...sections,
    ].join('\n\n') + '\n'
  )
}

/** Every value with a `# --` comment directly above it, in the order of the file. Other comments are for readers of the file. */
export function explainedIn(yaml: string): Value[] {
  const values = parse(yaml) as Values
  const parents: { name: string; indent: number }[] = []
  const explained: Value[] = []
  let meaning: string | undefined
  for (const line of yaml.split('\n')) {
    const comment = /^ *# -- (.+)$/.exec(line)?.[1]
    const [, space, name] = /^( *)([\w-]+):/.exec(line) ?? []
    if (space !== undefined && name !== undefined) {
      while ((parents.at(-1)?.indent ?? -1) >= space.length) parents.pop()
      parents.push({ name, indent: space.length })
      const path = parents.map((parent) => parent.name)
      if (meaning !== undefined)
        explained.push({
          path: path.join('.'),
          value: path.reduce<unknown>((at, key) => (at as Values)[key], values),
          meaning,
        })
    }
    meaning = comment
  }
  return explained
}

function readValues(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function table(values: Value[]): string {
  const rows = values.map(({ path, value, meaning }) => {
    const name = isByEnvironment(value) ? `${path}.ENV` : path
    return `| \`${name}\` | ${defaultOf(value)} | ${meaning.replace('[secret]', '*Secret.*').replaceAll(/[<|]/g, String.raw`\$&`)} |`
  })
  return ['| value | default | meaning |', '|---|---|---|', ...rows].join('\n')
}

function defaultOf(value: unknown): string {
  if (!isByEnvironment(value)) return code(value)
  const { _default, ...others } = value
  return [code(_default), ...Object.entries(others).map(([environment, own]) => `${environment} ${code(own)}`)].join(
    ', ',
  )
}

function isByEnvironment(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && '_default' in value
}

function code(value: unknown): string {
  return value === ''
    ? 'empty'
    : `\`${stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()}\``
}
