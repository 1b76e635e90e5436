import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { blocksIn } from '../../tools/test/markdown.js'
import { deploysIn, forHelm, refusalIn, stepsOf } from '../guide/pages.js'
import { conform, minors, parseResources, refusal, render, workloadsOf } from './chart.js'
import { files, read, root } from './werf-config.js'

const small = ['StatefulSet postgres', 'Deployment server', 'Job migrations', 'CronJob doctor']
const withFiles = [...small, 'StatefulSet s3', 'Job bucket']
const withRedis = [...withFiles, 'StatefulSet redis']
const withWorker = [...withRedis, 'Job fixtures', 'StatefulSet rabbitmq', 'Deployment worker']

/** The state of the system after each chapter: its workloads, and what is special. */
const states: Record<string, { runs: string[]; has: string[]; lacks: string[] }> = {
  '01-hello-world': {
    runs: small,
    has: ['PersistentVolumeClaim server'],
    lacks: ['Ingress', 'container web', 'volume of postgres'],
  },
  '02-local-build': {
    runs: small,
    has: ['PersistentVolumeClaim server'],
    lacks: ['Ingress', 'container web', 'volume of postgres'],
  },
  '03-ci': {
    runs: small,
    has: ['PersistentVolumeClaim server'],
    lacks: ['Ingress', 'container web', 'volume of postgres'],
  },
  '04-deploy': {
    runs: small,
    has: ['PersistentVolumeClaim server', 'Ingress'],
    lacks: ['container web', 'volume of postgres'],
  },
  '05-dependencies': {
    runs: small,
    has: ['PersistentVolumeClaim server', 'Ingress'],
    lacks: ['container web', 'volume of postgres'],
  },
  '06-assets': {
    runs: small,
    has: ['PersistentVolumeClaim server', 'Ingress', 'container web'],
    lacks: ['volume of postgres'],
  },
  '07-files': {
    runs: withFiles,
    has: ['Ingress', 'container web'],
    lacks: ['PersistentVolumeClaim server', 'volume of postgres'],
  },
  '08-e-mail': { runs: withFiles, has: ['Ingress', 'container web'], lacks: ['two servers', 'volume of postgres'] },
  '09-redis': { runs: withRedis, has: ['two servers'], lacks: ['volume of postgres'] },
  '10-database': { runs: withRedis, has: ['two servers', 'volume of postgres'], lacks: [] },
  '11-fixtures': { runs: [...withRedis, 'Job fixtures'], has: ['two servers', 'volume of postgres'], lacks: [] },
  '12-tests': { runs: [...withRedis, 'Job fixtures'], has: ['two servers', 'volume of postgres'], lacks: [] },
  '13-applications': { runs: withWorker, has: ['two servers', 'volume of postgres'], lacks: [] },
  '14-environments': { runs: withWorker, has: ['two servers', 'volume of postgres'], lacks: [] },
  '15-argo-cd': { runs: withWorker, has: ['two servers', 'volume of postgres'], lacks: [] },
  '16-scheduled-job': {
    runs: [...withWorker, 'CronJob upkeep'],
    has: ['two servers', 'volume of postgres'],
    lacks: [],
  },
}

const guide = join(root, 'docs/guide')
const chapters = readdirSync(guide, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
const valuesOf = (chapter: string) => parse(read(`docs/guide/${chapter}/values.yaml`)) as object
const renderChapter = (chapter: string) => render(valuesOf(chapter))

describe('the values of a chapter', () => {
  it('exist for each chapter', () => {
    expect(chapters.sort()).toEqual(Object.keys(states))
  })

  it.concurrent.each(Object.entries(states))(
    'deploy the system as far as %s has come',
    async (chapter, { runs, has, lacks }) => {
      const resources = parseResources(await renderChapter(chapter))
      const workloads = workloadsOf(resources)
      expect(workloads.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([...runs].sort())

      const server = workloads.find(({ name }) => name === 'server')
      const postgres = workloads.find(({ name }) => name === 'postgres')
      const found = [
        ...resources.map(({ kind, metadata }) => (kind === 'Ingress' ? kind : `${kind} ${metadata.name}`)),
        ...(server?.pod.spec.containers.map(({ name }) => `container ${name}`) ?? []),
        ...(server?.replicas === 2 ? ['two servers'] : []),
        ...('volumeClaimTemplates' in (postgres?.resource.spec as object) ? ['volume of postgres'] : []),
      ]
      expect(found).toEqual(expect.arrayContaining(has))
      expect(lacks.filter((one) => found.includes(one))).toEqual([])
    },
  )

  it.concurrent.each(chapters)('render to resources that Kubernetes accepts: %s', async (chapter) => {
    for (const minor of minors) expect(await conform(minor, await renderChapter(chapter))).toEqual([])
  })
})

const home = mkdtempSync(join(tmpdir(), 'chat-guide-'))
afterAll(() => rmSync(home, { recursive: true }))
mkdirSync(join(home, '.docker'))
writeFileSync(join(home, '.docker/config.json'), '{"auths": {}}')
/** Variables that preparation.md sets, or the line above a command. */
const shell = { PATH: process.env.PATH ?? '', HOME: home, WERF_ENV: 'local', url: 'http://192.0.2.1:4567' }
const pages = files.filter((file) => /^(README|docs\/.+)\.md$/.test(file))
const printed = pages
  .filter((page) => !page.endsWith('.ru.md'))
  .flatMap((page) =>
    stepsOf(read(page)).flatMap((step) => deploysIn(step, shell).map((deploy) => ({ page, ...deploy }))),
  )

describe('a printed command', () => {
  it('is in each chapter, and on the page about deploying', () => {
    const others = ['README.md', 'docs/deploy.md', 'docs/production.md', 'docs/guide/secrets.md']
    expect(printed.map(({ page }) => page)).toEqual(
      expect.arrayContaining([...others, ...chapters.map((chapter) => `docs/guide/${chapter}/README.md`)]),
    )
  })

  it.concurrent.each(printed.map((each) => [each.page, each.args.join(' '), each] as const))(
    'does in a new shell what the page says: %s: %s',
    async (page, _, { error, env, args }) => {
      const isHelm = args[0] === '--install'
      const {
        env: other = env,
        secretValues,
        flags,
      } = isHelm
        ? { env: undefined, secretValues: [], flags: args.slice(args.indexOf('--set')) }
        : forHelm(args.flatMap(inFull))
      const given = ['--set', `global.env=${other}`, ...flags]
      const values = secretValues.length === 0 ? {} : secretsOn(page)
      const refused = refusalIn({ error })
      // test:guide runs these commands on a cluster.
      if (refused !== undefined && !/does not exist in the namespace/.test(refused))
        expect(await refusal(values, given)).toContain(refused)
      else expect(parseResources(await render(values, given)).map(({ kind }) => kind)).toContain('Deployment')
    },
  )

  it('needs no variable of an earlier shell', () => {
    expect(shellLines().filter((line) => /\b(export|unset)\b.* WERF_(SET|SECRET_VALUES)/.test(line))).toEqual([])
  })

  it('never overwrites a key that files are encrypted with', () => {
    const makers = shellLines().filter((line) => line.includes('generate-secret-key > .werf_secret_key'))
    expect(makers.length).toBeGreaterThan(2)
    expect(makers.filter((line) => !line.startsWith('test -e .werf_secret_key || '))).toEqual([])
  })
})

/** "…" stands for the flags of the first command in deploy.md. */
function inFull(arg: string): string[] {
  return arg === '…' ? (printed.find(({ page }) => page === 'docs/deploy.md')?.args ?? []) : [arg]
}

/** The encrypted file that a page shows. The chart accepts the ciphertext in place of the secret. */
function secretsOn(page: string): object {
  const file = blocksIn(read(page)).find(({ text }) => /^app:\n/m.test(text))
  return parse(file?.text ?? '') as object
}

function shellLines(): string[] {
  return pages.flatMap((page) => stepsOf(read(page)).flatMap(({ text }) => text.split('\n')))
}
