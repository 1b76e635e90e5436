import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findProgram } from '../../tools/services/programs.js'
import { root, run, until } from '../cluster/commands.js'
import { werfVariables } from '../cluster/deployers.js'
import { buildImage } from '../cluster/images.js'
import { createNamespace, type Namespace } from '../cluster/namespace.js'
import { ask } from '../cluster/people.js'
import { readSurroundings } from '../cluster/surroundings.js'
import { makeVersion, type Version } from '../cluster/versions.js'
import { chapters, dockerConfig, peopleTalk, type Walk } from './chapters.js'
import { refusalIn, stepsOf, type Step } from './pages.js'
import { openShell, type Shell } from './shell.js'

const surroundings = readSurroundings(process.env)
const werf = findProgram('werf')
/** `GUIDE_CHAPTERS="04 07"` runs only these chapters. */
const chosen = process.env.GUIDE_CHAPTERS?.split(' ') ?? chapters.map(({ name }) => name.slice(0, 2))
const walked = chapters.filter(({ name }) => chosen.includes(name.slice(0, 2)))
if (walked.length < chosen.length)
  throw new Error(
    `GUIDE_CHAPTERS is "${chosen.join(' ')}". Choose from ${chapters.map(({ name }) => name.slice(0, 2)).join(' ')}.`,
  )
/** Other namespaces that commands of the pages create. */
const others = ['chat-review-outside', 'elsewhere', 'chat-review-fixtures', 'chat-review-x']

/**
 * One release in one namespace, upgraded chapter by chapter. The promise of a chapter is false before it and true after it. The test runs the exact
 * commands of each page, in a new shell that has only the variables of preparation.md.
 */
describe(`the guide, run with ${werf === undefined ? 'Helm' : 'werf'},`, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'chat-guide-'))
  const failures = join(scratch, 'failures')
  let checkout: Version
  let namespace: Namespace
  let chapter = ''
  let shell: Shell
  let walk: Walk

  beforeAll(async () => {
    // The pages name this namespace, so only one test can run in a cluster at a time.
    namespace = await until(
      'the namespace chat-local to be free',
      () => createNamespace(scratch, 'chat-local'),
      1_500_000,
    )
    checkout = await makeVersion(scratch, 'checkout')
    symlinkSync(join(root, 'node_modules'), join(checkout.directory, 'node_modules'))
    walk = {
      namespace,
      address: { host: 'chat.localhost', ingress: surroundings.ingress },
      elsewhere: { host: 'review-x.localhost', ingress: surroundings.ingress },
      people: new Map(),
      follow,
      async change(file, edit) {
        const path = join(checkout.directory, file)
        writeFileSync(path, edit(readFileSync(path, 'utf8')))
        await shell.run(`git commit --all --quiet --message 'Change ${file}'`)
      },
      read: (file) => readFileSync(join(checkout.directory, file), 'utf8'),
      async buildTests() {
        walk.testsImage = await buildImage(checkout, 'tests', surroundings.registry, scratch)
      },
    }
  }, 1_600_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') process.stdout.write(`\n${await namespace.describe().catch(String)}\n`)
  })
  afterAll(async () => {
    if (namespace === undefined) return
    await run('kubectl', ['delete', 'namespace', ...others, '--ignore-not-found', '--wait=false'])
    await namespace.remove()
  })

  describe.each(walked)('$name', ({ name, promise, look, lacks, go = () => follow(), leave }) => {
    beforeAll(() => {
      shell = openShell(checkout.directory, preparedShell())
    })
    afterAll(() => shell.close())

    it(`is not yet true: ${promise}`, () => expect(look(walk)).rejects.toThrow(lacks))

    it('becomes true with the commands of the chapter', async () => {
      for (const { skip } of chapters.filter((one) => one.name > chapter && one.name < name)) await skip?.(walk)
      chapter = name
      await go(walk)
      await look(walk)
      if (name >= '04') await peopleTalk(walk)
      await leave?.(walk)
    })
  })

  async function follow(blocks = /werf (converge|dismiss)|kubectl config/): Promise<void> {
    const before = await namespace.pods('server')
    const steps = stepsOf(readFileSync(join(root, `docs/guide/${chapter}/README.md`), 'utf8')).filter(
      ({ text, isRun }) => isRun && blocks.test(text),
    )
    expect(steps.length).toBeGreaterThan(0)
    for (const step of steps) await take(step)
    // Servers that are stopping still behave as in the previous chapter.
    const there = new Set((await namespace.pods('server')).map(({ metadata }) => metadata.uid))
    await namespace.gone(before.filter(({ metadata }) => !there.has(metadata.uid)))
    // The ingress controller learns of an Ingress and of ready pods a moment after Helm.
    if ((await namespace.kubectl('get', 'ingress', '-o', 'name')) === '') return
    await until('the ingress to lead to the server', async () =>
      expect((await ask(walk.address, '/')).status).toBe(200),
    )
  }

  /** Runs one block of a page, and checks that it ends as the page says. */
  async function take(step: Step): Promise<void> {
    // For a failed migration werf shows the error at once, but Helm only after its timeout.
    if (werf === undefined && step.error?.includes('failed release')) return
    writeFileSync(failures, '')
    const output = await shell.run(step.text)
    const failed = readFileSync(failures, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    if (step.error === undefined) expect(failed, output).toEqual([])
    else expect(failed, output).toHaveLength(1)
    expect(output).toContain(refusalIn(step) ?? '')
  }

  /** The variables of preparation.md, and a home directory with the credentials of a registry. */
  function preparedShell(): NodeJS.ProcessEnv {
    const home = join(scratch, 'home')
    mkdirSync(join(home, '.docker'), { recursive: true })
    writeFileSync(join(home, '.docker/config.json'), dockerConfig)
    writeFileSync(join(home, '.gitconfig'), '[user]\nname = Chat\nemail = chat@example.com\n')
    // A copy, because commands of the pages change its namespace.
    const kubeconfig = join(home, 'kubeconfig')
    copyFileSync(process.env.KUBECONFIG ?? '', kubeconfig)
    const program =
      werf ??
      `env SCRATCH=${scratch} ${process.execPath} --import ${import.meta.resolve('tsx')} ${join(root, 'test/guide/werf.ts')}`
    writeFileSync(
      join(home, 'werf'),
      `#!/bin/sh\n${program} "$@" && exit\ncode=$?\necho "werf $*" >> ${failures}\nexit $code\n`,
    )
    chmodSync(join(home, 'werf'), 0o755)
    const { registry, ingress } = surroundings
    return {
      ...werfVariables,
      HOME: home,
      KUBECONFIG: kubeconfig,
      PATH: `${home}:${process.env.PATH}`,
      WERF_REPO: `${registry}/chat`,
      WERF_ENV: 'local',
      INGRESS: ingress,
    }
  }
})
