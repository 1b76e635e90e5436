import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { files, read } from './test/repository.js'

interface Renovate {
  customManagers: { description: string; managerFilePatterns: string[]; matchStrings: string[] }[]
  packageRules: { groupName?: string; description?: string; matchPackageNames: string[]; allowedVersions?: string }[]
}

const { customManagers, packageRules } = JSON.parse(read('renovate.json')) as Renovate

const packages = Object.assign(
  {},
  ...files
    .filter((file) => /(^|\/)package\.json$/.test(file))
    .map((file) => JSON.parse(read(file)) as Record<string, object>)
    .map(({ dependencies, devDependencies }) => ({ ...dependencies, ...devDependencies })),
) as Record<string, string>

/** The base images of files, without their tags. */
function imagesIn(text: string): string[] {
  const own = new Set([...text.matchAll(/ AS (\S+)$/gm)].map(([, name]) => name))
  const found = [...text.matchAll(/(?:^FROM |^from: |\b(?:image|name): "?)([^\s:"$]+):[\w.-]+/gm)].map(
    ([, name = '']) => name,
  )
  return found.filter((name) => !own.has(name))
}

/** What one of our custom managers finds in each file. */
function foundBy({ managerFilePatterns, matchStrings }: Renovate['customManagers'][number]): Record<string, string[]> {
  const patterns = managerFilePatterns.map((pattern) => new RegExp(pattern.slice(1, -1)))
  const mine = files.filter((file) => patterns.some((pattern) => pattern.test(file)))
  const matchesIn = (text: string) => matchStrings.flatMap((string) => [...text.matchAll(new RegExp(string, 'g'))])
  return Object.fromEntries(
    mine.map((file) => [file, matchesIn(read(file)).map(({ groups }) => `${groups?.depName}:${groups?.currentValue}`)]),
  )
}

describe('the configuration of Renovate', () => {
  it('groups and pins only packages that are used', () => {
    const images = ['Dockerfile', 'compose.yaml', '.gitlab-ci.yml', 'werf.yaml'].flatMap((file) => imagesIn(read(file)))
    const used = [...Object.keys(packages), ...images]
    expect(
      packageRules.flatMap(({ matchPackageNames }) => matchPackageNames).filter((name) => !used.includes(name)),
    ).toEqual([])
    expect(packageRules.map(({ groupName }) => groupName)).toEqual(
      expect.arrayContaining(['pg', 'socket.io', 'webpack', 'lint', 'vitest']),
    )
  })

  it('gives a reason for each pin', () => {
    const rules = packageRules.filter(({ groupName }) => groupName === undefined)
    const names = rules.flatMap(({ matchPackageNames }) => matchPackageNames)
    expect(names).toEqual(expect.arrayContaining(['typescript', 'webpack-cli', 'vitest', 'connect-redis']))
    for (const { description } of rules) expect(description).toMatch(/\.$/)
  })

  const pins = packageRules.flatMap(({ matchPackageNames, allowedVersions = '' }) =>
    matchPackageNames.map((name) => ({ name, allowedVersions })),
  )
  const ofNpm = pins.filter(({ name, allowedVersions }) => name in packages && allowedVersions !== '')
  it.each(ofNpm)('pins $name to the installed version', ({ name, allowedVersions }) => {
    const wanted = packages[name] ?? ''
    const below = /^<(\d+)$/.exec(allowedVersions)?.[1]
    if (below === undefined) expect(wanted).toBe(allowedVersions)
    else expect(Number(/\d+/.exec(wanted)?.[0])).toBe(Number(below) - 1)
  })

  it('finds every image of werf.yaml and of the subcharts, with its tag', () => {
    const [werf = {}, charts = {}] = customManagers.map(foundBy)
    const from = [...read('werf.yaml').matchAll(/^from: (\S+:\S+)$/gm)].map(([, image]) => image)
    expect(from.length).toBeGreaterThan(1)
    expect(werf).toEqual({ 'werf.yaml': from })
    // The same as in the Compose file, which writes image and tag as one word.
    const ofCompose = [...read('compose.yaml').matchAll(/^ +image: (docker\.io\/(?!library\/nginx)\S+)$/gm)].map(
      ([, image]) => image,
    )
    expect(Object.keys(charts)).toHaveLength(4)
    expect(Object.values(charts).flat().sort()).toEqual(ofCompose.sort())
  })
})

describe('the licence', () => {
  it('is the Apache License 2.0, to the letter', () => {
    // Of https://www.apache.org/licenses/LICENSE-2.0.txt.
    expect(createHash('sha256').update(read('LICENSE')).digest('hex')).toBe(
      'cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30',
    )
    expect(JSON.parse(read('package.json'))).toMatchObject({ license: 'Apache-2.0' })
  })
})
