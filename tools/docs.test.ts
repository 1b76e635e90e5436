import { dirname, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig, type Config } from '../apps/server/src/config.js'
import { explainedIn, valuesPage } from './docs.js'
import { anchorsOf, codeIn, proseOf, tablesIn } from './test/markdown.js'
import { files, read } from './test/repository.js'

const subcharts = files.filter((file) => /^\.helm\/charts\/[^/]+\/values\.yaml$/.test(file))

describe('docs/reference/values.md', () => {
  it('is what npm run docs writes', () => {
    expect(read('docs/reference/values.md')).toBe(valuesPage())
  })

  it.each(['.helm/values.yaml', ...subcharts])('explains every value of %s', (file) => {
    const explained = explainedIn(read(file)).map(({ path }) => path)
    const leaves = leavesOf(parse(read(file)))
    expect(leaves.length).toBeGreaterThan(5)
    expect(leaves.filter((leaf) => !explained.some((path) => leaf === path || leaf.startsWith(`${path}.`)))).toEqual([])
  })
})

describe('docs/reference/variables.md', () => {
  const tables = tablesIn(read('docs/reference/variables.md'))
  const nameIn = (cell = '') => codeIn(cell)[0] ?? ''
  const variables = tables
    .filter(({ header }) => header.includes('default'))
    .flatMap(({ rows }) =>
      rows.map(([name, byDefault = '', , inChart = '']) => ({
        name: nameIn(name),
        defaults: codeIn(byDefault),
        byDefault,
        inChart,
      })),
    )
  const explained = [...read('.env.example').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name)

  it('lists each variable of .env.example once', () => {
    expect(variables.map(({ name }) => name).sort()).toEqual(explained.sort())
  })

  // One configuration with external services and one with built-in adapters: together they read every variable.
  const needed = { DATABASE_URL: 'postgres://chat@localhost/chat', COOKIE_SECRET: 'sixteen characters or more' }
  const mailgun = { MAILGUN_APIKEY: 'key', MAILGUN_DOMAIN: 'mg.example.com', MAILGUN_FROM: 'us@example.com' }
  const s3 = { S3_ENDPOINT: 's3', S3_ACCESS_KEY: 'key', S3_SECRET_KEY: 'secret' }
  const outside = { ...needed, ...mailgun, ...s3, SESSION_REDIS: 'redis://localhost', AMQP_URI: 'amqp://localhost' }
  const builtIn = { ...needed, SESSIONS: 'postgres', BUS: 'in-process', STORAGE: 'disk', MAILER: 'mailbox' }
  const production = { NODE_ENV: 'production', PUBLIC_URL: 'https://chat.example.com' }

  it.each(variables.filter(({ defaults }) => defaults.length > 0))(
    'names the right default of $name',
    ({ name, defaults: [usual = '', inProduction = usual] }) => {
      const base = name === 'DATA_DIR' ? builtIn : outside
      for (const [env, value] of [
        [base, usual],
        [{ ...base, ...production }, inProduction],
      ] as const) {
        expect(readConfig({ ...env, [name]: value })).toEqual(readConfig(env))
      }
      // Another value does change the configuration.
      expect(readConfigOrProblem({ ...base, [name]: 'http://else.where' })).not.toEqual(readConfig(base))
    },
  )

  it.each(variables.filter(({ byDefault }) => /required/.test(byDefault)))(
    'says that $name is required, and config.ts requires it',
    ({ name }) => {
      expect(readConfigOrProblem({ ...outside, ...production, [name]: '' })).toContain(`${name} is missing`)
    },
  )

  it('says that all other variables have no default', () => {
    for (const { name, byDefault, defaults } of variables) {
      if (defaults.length === 0)
        expect
          .soft(byDefault, name)
          .toMatch(/^(none|required|none; required in production|required, with (S3|Mailgun))$/)
    }
  })

  it('names only values that exist', () => {
    const values = explainedIn(read('.helm/values.yaml')).map(({ path }) => path)
    expect(variables.flatMap(({ inChart }) => codeIn(inChart)).filter((value) => !values.includes(value))).toEqual([])
  })

  it('says for each variable whether the chart sets it', () => {
    const templates = files
      .filter((file) => file.startsWith('.helm/templates/'))
      .map(read)
      .join('\n')
    const isSet = (name: string) => new RegExp(`name: ${name}\\b|\\(list \\. "${name}"`).test(templates)
    expect(variables.filter(({ inChart }) => inChart !== '').map(({ name }) => name)).toEqual(
      variables.map(({ name }) => name).filter(isSet),
    )
  })

  it('names the file that reads each variable of tests and pipelines', () => {
    const others = tables.flatMap(({ header, rows }) => (header.includes('read by') ? rows : []))
    expect(others.length).toBeGreaterThan(5)
    for (const [name = '', reader = '', meaning = ''] of others) {
      const variables = [...codeIn(name), ...codeIn(meaning).filter((code) => code.startsWith('TEST_'))]
      expect(variables.filter((variable) => !read(nameIn(reader)).includes(variable))).toEqual([])
    }
  })
})

describe('the documentation', () => {
  const pages = files.filter((file) => /^((README|CONTRIBUTING|CHANGELOG)\.md|docs\/.+\.md)$/.test(file))
  /** Files that the pages name although they do not exist: readers may create them. */
  const missing = ['.helm/secret-values.yaml']
  const folders = new Set(files.flatMap((file) => parentsOf(file)))
  const isThere = (path: string) => files.includes(path) || folders.has(path)

  it.each(pages)('has no broken link in %s', (page) => {
    const links = [...proseOf(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : posix.join(dirname(page), path).replace(/\/$/, '')
      return (
        !isThere(target) ||
        (anchor !== undefined &&
          target.endsWith('.md') &&
          !anchorsOf(read(target)).includes(decodeURIComponent(anchor)))
      )
    })
    expect(broken).toEqual([])
  })

  it.each(pages)('names only existing files in %s', (page) => {
    const wrong = pathsIn(read(page)).filter((path) => {
      const wanted = path.replace(/\/$/, '')
      const places = [wanted, posix.join(dirname(page), wanted)]
      // A page may name a file of a feature without the path of its app.
      return !places.some(isThere) && !files.some((file) => file.endsWith(`/${wanted}`)) && !missing.includes(wanted)
    })
    expect(wrong).toEqual([])
  })

  it('finds the name of a missing file', () => {
    expect(pathsIn('`apps/server/src/gone.ts`, `platform/gone.ts`, `docs/gone`')).toEqual([
      'apps/server/src/gone.ts',
      'platform/gone.ts',
      'docs/gone',
    ])
    expect(pathsIn('`npm start`, `image/png`, `a.example.com/chat`, `/etc/hosts`, `apps/web/dist/x.js`')).toEqual([])
    expect(pathsIn('| in the guide | now |\n|---|---|\n| `src/js/index.js` | `docs/gone` |')).toEqual(['docs/gone'])
  })

  /** Paths in backticks, except those of the guide for werf 1.1 and those of build output. */
  function pathsIn(page: string): string[] {
    const ofGuide = tablesIn(page).flatMap(({ header, rows }) =>
      isOfGuide(header[0]) ? rows.flatMap(([first = '']) => codeIn(first)) : [],
    )
    const others = codeIn(proseOf(page))
    for (const code of ofGuide) others.splice(others.indexOf(code), 1)
    return others.filter((code) => {
      if (!/^[\w.@-]+(\/[\w.@-]+)+\/?$/.test(code) || /\/dist(\/|$)/.test(code)) return false
      return isThere(code.split('/')[0] ?? '') || /\.(tsx?|js|json|md|sql|ya?ml|tpl|conf|sh)$/.test(code)
    })
  }
  /** True for the heading of the column with the words of the guide, in English or Russian. */
  function isOfGuide(title = ''): boolean {
    return /guide|руководств|пособи|гайд/i.test(title)
  }
})

function readConfigOrProblem(env: NodeJS.ProcessEnv): Config | string {
  try {
    return readConfig(env)
  } catch (error) {
    return String(error)
  }
}

/** Paths of all values that are not maps, and of empty maps. */
function leavesOf(value: unknown, path: string[] = []): string[] {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
  return isMap ? Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key])) : [path.join('.')]
}

function parentsOf(file: string): string[] {
  const parts = file.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}
