import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startMailgun } from '../../apps/server/src/test/mailgun.js'
import { until } from '../cluster/commands.js'
import { deployers, type Deployer } from '../cluster/deployers.js'
import { buildImage } from '../cluster/images.js'
import { createNamespace, type Namespace } from '../cluster/namespace.js'
import { ask, type Address } from '../cluster/people.js'
import { readSurroundings } from '../cluster/surroundings.js'
import { addColour, makeVersion, type Version } from '../cluster/versions.js'
import { addressTowards, chapters, newWords, peopleTalk, type VersionName, type Walk } from './chapters.js'

/** A release in a namespace of its own. */
interface Place {
  namespace: Namespace
  address: Address
  deployer: Deployer
  built: Set<Version>
}

const surroundings = readSurroundings(process.env)
const limits = ['sign_in', 'sign_up', 'post', 'upload', 'room'].map((limit) => `app.limits.${limit}._default=10000/10`)
/** `GUIDE_CHAPTERS="04 07"` walks these and no others. */
const chosen = process.env.GUIDE_CHAPTERS?.split(' ') ?? chapters.map(({ name }) => name.slice(0, 2))
const walked = chapters.filter(({ name }) => chosen.includes(name.slice(0, 2)))
if (walked.length < chosen.length) throw new Error(`GUIDE_CHAPTERS is "${chosen.join(' ')}", and can be of ${chapters.map(({ name }) => name.slice(0, 2)).join(' ')}.`)

/** What a reader does to the sources. */
const changes: Record<VersionName, (directory: string) => void> = {
  first: () => undefined,
  recoloured: addColour,
  reworded(directory) {
    const file = join(directory, 'apps/server/src/http.ts')
    writeFileSync(file, readFileSync(file, 'utf8').replace('Chat needs JavaScript.', newWords))
  },
}

/** One namespace, one release, upgraded chapter by chapter: what a chapter promises is not kept before it, and is kept after it. */
describe.each(deployers.slice(0, 1).map((each) => [each.name, each.create] as const))('the guide, walked with %s,', (_, create) => {
  const scratch = mkdtempSync(join(tmpdir(), 'chat-guide-'))
  const versions = new Map<VersionName, Version>()
  const setByHand: string[] = []
  let version: VersionName = 'first'
  let chapter = ''
  let here: Place
  let elsewhere: Place
  let walk: Walk

  beforeAll(async () => {
    here = await createPlace('local')
    elsewhere = await createPlace('review-feature-x')
    const mailgun = await startMailgun({ host: await addressTowards(surroundings.ingress), domain: 'mg.example.com' })
    walk = {
      namespace: here.namespace,
      address: here.address,
      elsewhere: elsewhere.address,
      mailgun,
      deploy: ({ version: other = version, set = [] } = {}) => {
        version = other
        setByHand.push(...set)
        return deployTo(here)
      },
      deployElsewhere: () => deployTo(elsewhere),
      async buildTests() {
        walk.testsImage = await buildImage(await filesOf(version), 'tests', surroundings.registry, scratch)
      },
    }
  })
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') process.stdout.write(`\n${await here.namespace.describe().catch(String)}\n`)
  })
  afterAll(async () => {
    await walk?.mailgun.close()
    for (const place of [here, elsewhere]) await place?.namespace.remove()
  })

  describe.each(walked)('$name', ({ name, promise, look, lacks, go = (walk) => walk.deploy() }) => {
    it(`does not find it done before: ${promise}`, () => expect(look(walk)).rejects.toThrow(lacks))

    it('brings it about', async () => {
      for (const { prepare } of chapters.filter((one) => one.name > chapter && one.name <= name)) await prepare?.(walk)
      chapter = name
      await go(walk)
      await look(walk)
      if (name >= '04') await peopleTalk(walk)
    })
  })

  async function createPlace(env: string): Promise<Place> {
    const namespace = await createNamespace(scratch)
    const host = surroundings.hostIn(namespace.name)
    const deployer = create({ namespace, surroundings, scratch, env, values: [`global.ci_url=${host}`, ...limits] })
    return { namespace, deployer, address: { host, ingress: surroundings.ingress }, built: new Set() }
  }

  async function deployTo({ namespace, address, deployer, built }: Place): Promise<void> {
    const files = await filesOf(version)
    if (!built.has(files)) await deployer.build(files)
    built.add(files)
    const before = await namespace.pods('server')
    const { apiKey, url } = walk.mailgun.config
    const mailgun = chapter >= '08' ? [`app.mailgun_url._default=${url}`, `app.mailgun_apikey._default=${apiKey}`] : []
    await deployer.deploy(files, { valuesFile: `docs/guide/${chapter}/values.yaml`, values: [...setByHand, ...mailgun] })
    // Servers on their way out still do what the chapter before has promised.
    const there = new Set((await namespace.pods('server')).map(({ metadata }) => metadata.uid))
    await namespace.gone(before.filter(({ metadata }) => !there.has(metadata.uid)))
    // A controller hears of an Ingress, and of who is ready behind it, a moment after Helm does.
    if ((await namespace.kubectl('get', 'ingress', '-o', 'name')) === '') return
    await until('the ingress to lead to the server', async () => expect((await ask(address, '/')).status).toBe(200))
  }

  async function filesOf(name: VersionName): Promise<Version> {
    const files = versions.get(name) ?? (await makeVersion(scratch, name, changes[name]))
    versions.set(name, files)
    return files
  }
})
