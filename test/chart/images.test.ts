import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  copiesOf,
  files,
  filesBelow,
  isIgnored,
  isInCheckout,
  isMeant,
  listOf,
  read,
  readDockerfile,
  readWerfConfig,
  root,
  type Image,
} from './werf-config.js'

const stapel = readWerfConfig('werf.yaml')
const docker = readWerfConfig('werf.dockerfile.yaml')
const stages = readDockerfile('Dockerfile')
const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts)

const named = (images: Image[]) => Object.fromEntries(images.map(({ image, final = true }) => [image, final]))
const stapelImages = stapel.images.map((image) => [image.image, image] as const)
const stageNames = stages.map(({ name }) => name)

/** Keys that both werf 2 and 3 know, without deprecated ones. */
const known = {
  meta: ['configVersion', 'project', 'build', 'deploy', 'cleanup', 'gitWorktree'],
  stapel:
    'image final cacheVersion from fromCacheVersion disableGitAfterPatch platform git shell import dependencies mount secrets imageSpec'.split(
      ' ',
    ),
  docker:
    'image final cacheVersion dockerfile context target args contextAddFiles dependencies secrets imageSpec platform staged'.split(
      ' ',
    ),
  git: ['add', 'to', 'owner', 'group', 'includePaths', 'excludePaths', 'stageDependencies'],
  stages: ['install', 'beforeSetup', 'setup'],
  shell: [
    'beforeInstall',
    'install',
    'beforeSetup',
    'setup',
    'cacheVersion',
    'beforeInstallCacheVersion',
    'installCacheVersion',
    'beforeSetupCacheVersion',
    'setupCacheVersion',
  ],
  import: ['from', 'stage', 'add', 'to', 'owner', 'group', 'includePaths', 'excludePaths', 'before', 'after'],
  mount: ['from', 'fromPath', 'to'],
  spec: ['author', 'clearHistory', 'config'],
  config: [
    ...'env entrypoint cmd user workingDir expose volumes stopSignal labels healthcheck'.split(' '),
    ...'removeEnv removeLabels removeVolumes clearCmd clearEntrypoint clearUser clearWorkingDir'.split(' '),
  ],
  giterminism: ['giterminismConfigVersion', 'cli', 'config', 'helm', 'includes'],
}
const unknown = (value: object | undefined, keys: string[]) =>
  Object.keys(value ?? {}).filter((key) => !keys.includes(key))
const hasTag = (image: string) =>
  /^[^:@]+(?::\d+\/[^:@]+)?:[\w.-]+(?:@sha256:[0-9a-f]{64})?$/.test(image) && !image.endsWith(':latest')

describe('werf.yaml and werf.dockerfile.yaml', () => {
  it('are about the same project', () => {
    expect(stapel.meta.configVersion).toBe(1)
    expect(docker.meta).toEqual(stapel.meta)
  })

  it('name the same images: three for a cluster and one for tests', () => {
    const images = named(stapel.images)
    expect(named(docker.images)).toEqual({ server: true, worker: true, web: true, tests: false })
    expect(images).toMatchObject(named(docker.images))
    // The other images of werf.yaml are stages of a build.
    expect(Object.keys(images).filter((name) => images[name])).toEqual(
      expect.arrayContaining(['server', 'worker', 'web']),
    )
    expect(Object.values(images).filter((isFinal) => isFinal)).toHaveLength(3)
    expect(stapel.images).toHaveLength(Object.keys(images).length)
  })

  it('run an image with the same user, folder and command', () => {
    const runs = (images: Image[]) =>
      Object.fromEntries(
        images
          .filter(({ image }) => ['server', 'worker', 'web'].includes(image))
          .map(({ image, imageSpec }) => [image, imageSpec?.config]),
      )
    for (const [name, config = {}] of Object.entries(runs(stapel.images))) {
      const said =
        stages.find((stage) => stage.name === docker.images.find(({ image }) => image === name)?.target)
          ?.instructions ?? []
      const last = (instruction: string) => said.findLast((one) => one.name === instruction)?.text
      expect({ name, user: config.user }).toEqual({ name, user: last('USER') })
      expect(config.cmd, `cmd of ${name}`).toEqual(JSON.parse(last('CMD') ?? 'null'))
      if (last('WORKDIR') !== undefined) expect(config.workingDir, `workingDir of ${name}`).toBe(last('WORKDIR'))
      expect(String(config.user)).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    }
  })

  it('start from the same images, each with a tag', () => {
    const names = Object.keys(named(stapel.images))
    const ofStapel = stapel.images
      .flatMap(({ from = '', import: imports = [] }) => [from, ...imports.map((one) => one.from)])
      .filter((from) => !names.includes(from))
    const ofDocker = stages
      .flatMap((stage) => [stage.from, ...copiesOf(stage).flatMap(({ from }) => from ?? [])])
      .filter((from) => !stageNames.includes(from) && !/^\d+$/.test(from))
    expect(new Set(ofStapel)).toEqual(new Set(ofDocker))
    expect(ofStapel.filter((image) => !hasTag(image))).toEqual([])
  })

  it('run only npm scripts that there are', () => {
    const commands = [
      ...stapel.images.flatMap(({ shell = {} }) => Object.values(shell).flat()),
      ...stages.flatMap(({ instructions }) => instructions.map(({ text }) => text)),
    ]
    const called = commands.flatMap((command) =>
      [...command.matchAll(/\bnpm run (?:--\S+ )*([\w:-]+)/g)].map(([, script = '']) => script),
    )
    expect(called.length).toBeGreaterThan(0)
    expect(called.filter((script) => !scripts.includes(script))).toEqual([])
  })
})

describe('werf.yaml', () => {
  it('has only keys that werf knows and does not deprecate', () => {
    expect(unknown(stapel.meta, known.meta)).toEqual([])
    for (const [name, image] of stapelImages) {
      const config = image.imageSpec?.config
      const found = [
        ...unknown(image, known.stapel),
        ...unknown(image.shell, known.shell),
        ...unknown(image.imageSpec, known.spec),
        ...unknown(config, known.config),
        ...(image.mount ?? []).flatMap((mount) => unknown(mount, known.mount)),
        ...(image.import ?? []).flatMap((one) => unknown(one, known.import)),
        ...(image.git ?? []).flatMap((git) => [
          ...unknown(git, known.git),
          ...unknown(git.stageDependencies, known.stages),
        ]),
      ]
      expect(found, `keys of ${name}`).toEqual([])
    }
  })

  it.each(stapelImages)('names only existing paths for %s', (_, image) => {
    for (const { add, to, includePaths, excludePaths, stageDependencies = {} } of image.git ?? []) {
      expect([add, to].filter((path) => !path.startsWith('/') || (path !== '/' && path.endsWith('/')))).toEqual([])
      const below = filesBelow(add)
      expect(below, `files of ${add}`).not.toEqual([])
      const patterns = [...listOf(includePaths), ...listOf(excludePaths)]
      expect(patterns.filter((pattern) => !below.some((file) => isMeant(file, pattern)))).toEqual([])

      const included = includedIn(below, includePaths, excludePaths)
      const dependencies = Object.values(stageDependencies).flat()
      expect(dependencies.filter((pattern) => !included.some((file) => isMeant(file, pattern)))).toEqual([])
    }
  })

  it.each(stapelImages)(
    'builds %s anew when anything changes that its commands may read',
    (_, { git = [], shell = {} }) => {
      if (shell.setup === undefined && shell.beforeSetup === undefined) return
      for (const { add, includePaths, excludePaths, stageDependencies = {} } of git) {
        const below = filesBelow(add)
        const dependencies = Object.values(stageDependencies).flat()
        expect(
          includedIn(below, includePaths, excludePaths).filter(
            (file) => !dependencies.some((pattern) => isMeant(file, pattern)),
          ),
        ).toEqual([])
      }
    },
  )

  it('installs packages again only when package.json or the lock changes', () => {
    const installing = stapel.images.filter(({ shell = {} }) =>
      Object.values(shell)
        .flat()
        .some((command) => /npm (ci|install)/.test(command)),
    )
    expect(installing).not.toEqual([])
    for (const { shell = {}, git = [] } of installing) {
      expect(
        Object.keys(shell).filter((stage) => listOf(shell[stage]).some((command) => /npm (ci|install)/.test(command))),
      ).toEqual(['install'])
      const dependencies = git.flatMap(({ stageDependencies = {} }) => listOf(stageDependencies.install))
      expect(dependencies).not.toEqual([])
      expect(dependencies.filter((pattern) => !/package(-lock)?\.json$|package\*\.json$/.test(pattern))).toEqual([])
    }
  })

  it('imports only existing files from existing images', () => {
    for (const { image, import: imports = [] } of stapel.images) {
      for (const { from, add, to, before, after } of imports) {
        const source = stapel.images.find((one) => one.image === from)
        const where = `${image} imports ${add} from ${from}`
        expect(source !== undefined || hasTag(from), where).toBe(true)
        expect(
          [before, after].filter((stage) => stage !== undefined && ['install', 'setup'].includes(stage)),
          where,
        ).toHaveLength(1)
        expect(
          [add, to].filter((path) => !path.startsWith('/') || path.endsWith('/')),
          where,
        ).toEqual([])
        const mapping = mappingsOf(from).find((git) => isMeant(add.slice(1), git.to))
        if (mapping !== undefined)
          expect(
            isInCheckout(`${mapping.add}/${add.slice(mapping.to.length)}`.replace(/\/+/g, '/').slice(1)),
            where,
          ).toBe(true)
      }
    }
  })

  /** Git mappings of an image and of those it is built from. */
  function mappingsOf(name: string | undefined): NonNullable<Image['git']> {
    const image = stapel.images.find((one) => one.image === name)
    return image === undefined ? [] : [...(image.git ?? []), ...mappingsOf(image.from)]
  }
})

describe('werf.dockerfile.yaml and its Dockerfile', () => {
  it('has only keys that werf knows and does not deprecate', () => {
    expect(docker.images.flatMap((image) => unknown(image, known.docker))).toEqual([])
    expect(
      docker.images.flatMap(({ imageSpec }) => [
        ...unknown(imageSpec, known.spec),
        ...unknown(imageSpec?.config, known.config),
      ]),
    ).toEqual([])
  })

  it('builds existing stages of an existing Dockerfile', () => {
    for (const { image, dockerfile = '', context = '.', target = '' } of docker.images) {
      expect(existsSync(join(root, context, dockerfile)), `Dockerfile of ${image}`).toBe(true)
      expect(stageNames).toContain(target)
    }
  })

  it('has a unique name for each stage, and starts from stages above or images', () => {
    expect(stageNames).toEqual([...new Set(stageNames)])
    stages.forEach(({ name, from }, index) =>
      expect(stageNames.slice(0, index).includes(from) || hasTag(from), `${name} from ${from}`).toBe(true),
    )
  })

  it('copies only existing files, and only from stages above', () => {
    stages.forEach((stage, index) => {
      for (const { from, sources } of copiesOf(stage)) {
        const where = `${stage.name} copies ${sources.join(' ')}`
        if (from !== undefined) {
          expect(stageNames.slice(0, index).includes(from) || hasTag(from), `${where} from ${from}`).toBe(true)
          expect(
            sources.filter((source) => source.startsWith('/app/') && !isInCheckout(source.slice('/app/'.length))),
            where,
          ).toEqual([])
        } else {
          const offered = files.filter((file) => !isIgnored(file))
          expect(
            sources.filter((source) => !offered.some((file) => isMeant(file, source))),
            where,
          ).toEqual([])
        }
      }
    })
  })

  it('installs dependencies before it copies sources', () => {
    const layersOf = (name: string): { name: string; text: string }[] => {
      const stage = stages.find((one) => one.name === name)
      return stage === undefined ? [] : [...layersOf(stage.from), ...stage.instructions]
    }
    for (const { name, instructions } of stages.filter((stage) =>
      stage.instructions.some(({ text }) => /npm (ci|install)/.test(text)),
    )) {
      const layers = layersOf(name)
      const copies = layers
        .slice(0, layers.indexOf(instructions.find(({ text }) => /npm (ci|install)/.test(text)) ?? { name, text: '' }))
        .filter((layer) => layer.name === 'COPY')
      expect(copies.length).toBeGreaterThan(0)
      const sources = copies.flatMap(({ text }) => text.split(/\s+/).slice(0, -1))
      expect(
        sources.filter((source) => !/package(-lock)?\.json$|package\*\.json$/.test(source)),
        `copied before npm in ${name}`,
      ).toEqual([])
    }
  })

  it('keeps private files out of the build context', () => {
    const kept = [
      '.env',
      '.git/config',
      'node_modules/pg/package.json',
      'apps/server/dist/main.js',
      '.werf_secret_key',
      '.data/postgres/PG_VERSION',
    ]
    expect(kept.filter((file) => !isIgnored(file))).toEqual([])
  })
})

describe('werf-giterminism.yaml', () => {
  it('has only keys that werf knows', () => {
    const giterminism = parse(read('werf-giterminism.yaml')) as { giterminismConfigVersion: number }
    expect(giterminism.giterminismConfigVersion).toBe(1)
    expect(unknown(giterminism, known.giterminism)).toEqual([])
  })

  it('allows each mount from the build machine', () => {
    const paths = stapel.images.flatMap(({ mount = [] }) =>
      mount.flatMap(({ from, fromPath }) => fromPath ?? (from === 'build_dir' ? from : [])),
    )
    const { config } = parse(read('werf-giterminism.yaml')) as {
      config?: { stapel?: { mount?: { allowBuildDir?: boolean; allowFromPaths?: string[] } } }
    }
    const allowed = [
      ...(config?.stapel?.mount?.allowFromPaths ?? []),
      ...(config?.stapel?.mount?.allowBuildDir ? ['build_dir'] : []),
    ]
    expect(paths.filter((path) => !allowed.includes(path))).toEqual([])
  })
})

function includedIn(
  below: string[],
  includePaths: string | string[] | undefined,
  excludePaths: string | string[] | undefined,
): string[] {
  const included =
    includePaths === undefined
      ? below
      : below.filter((file) => listOf(includePaths).some((pattern) => isMeant(file, pattern)))
  return included.filter((file) => !listOf(excludePaths).some((pattern) => isMeant(file, pattern)))
}
