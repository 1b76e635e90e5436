import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtIn, everythingBuiltIn, everythingOutside, mailgun, outside } from './cases.js'
import { chart, defaults, helm, refusal } from './chart.js'

type Tree = Record<string, unknown>
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every path to a map of values, the root as an empty one. */
function mapsIn(values: Tree, path: string[] = []): string[][] {
  return [
    path,
    ...Object.entries(values).flatMap(([key, value]) => (isTree(value) ? mapsIn(value, [...path, key]) : [])),
  ]
}
const at = (path: string[], value: unknown): Tree =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Tree

const read = (folder: string) => parse(readFileSync(join(folder, 'values.yaml'), 'utf8')) as Tree
const subcharts = readdirSync(join(chart, 'charts')).map((name) => [name, read(join(chart, 'charts', name))] as const)
/** Maps with free keys: labels and annotations of other programs, and the values that werf adds. */
const open = ['global', 'global.werf', 'ingress.annotations', 'ingress.tls.annotations']
const closed = [
  ...mapsIn(defaults),
  ...subcharts.flatMap(([name, values]) => mapsIn(values).map((path) => [name, ...path])),
].filter((path) => !open.includes(path.join('.')) && !path.includes('global'))

describe('a misspelt value', () => {
  it.concurrent.each([...new Set(closed.map((path) => path.join('.')))])('is refused below "%s"', async (path) => {
    const keys = path === '' ? [] : path.split('.')
    const message = await refusal(at([...keys, 'mispelt'], 'x'))
    expect(message).toContain('mispelt')
  })

  it('is refused below "global"', async () => {
    expect(await refusal({ global: { ci_ulr: 'feature-x.example.com' } })).toContain('ci_ulr')
  })

  it('is refused by helm lint too', async () => {
    const { code, stdout, stderr } = await helm('lint', { servr: {} })
    expect(code).toBe(1)
    expect(stdout + stderr).toContain('servr')
  })

  it('is refused as the name of an environment', async () => {
    expect(await refusal({ server: { replicas: { prodution: 5 } } })).toContain('prodution')
  })
})

describe('a value of the wrong kind', () => {
  it.concurrent.each([
    ['text for a number', { server: { replicas: { _default: 'two' } } }],
    ['a value without its environment', { server: { replicas: 2 } }],
    ['less than no copy', { server: { replicas: { _default: -1 } } }],
    ['text for a switch', { acceptance: { enabled: { _default: 'yes' } } }],
    ['text for the switch of a service', { postgres: { enabled: 'false' } }],
    ['a rate limit without seconds', { app: { limits: { post: { _default: '40' } } } }],
    ['a list of no environments', { environments: [] }],
    ['a number for a subchart’s tag', { rabbitmq: { image: { tag: 4 } } }],
    ['a size without a unit that Kubernetes knows', { s3: { storage: { size: '8 GB' } } }],
  ])('is refused: %s', async (_, values) => {
    const key = Object.keys(values)[0] ?? ''
    expect(await refusal(values)).toContain(key)
  })
})

describe('what werf adds', () => {
  it('is accepted', async () => {
    const werf = {
      name: 'chat',
      version: 'v2',
      repo: 'registry.example.com/chat',
      namespace: 'chat',
      env: 'production',
      commit: { hash: 'abc', date: { human: 'now', unix: 1 } },
      image: { server: 'x' },
      tag: { server: 'x' },
    }
    const { code, stderr } = await helm('template', {
      werf,
      global: {
        env: 'production',
        werf: { ...werf, images: { tests: { ref_tag: 'registry.example.com/chat/tests:1' } } },
      },
      dockerconfigjson: 'e30=',
    })
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})

describe('an unknown environment', () => {
  it.each(['prodution', 'reviewfeature-x', 'Production', '-'])(
    'is refused with those that there are: %s',
    async (env) => {
      const message = await refusal({ global: { env } })
      expect(message).toContain(`"${env}"`)
      for (const name of defaults.environments) expect(message).toContain(name)
    },
  )
})

describe('a missing image', () => {
  it.each(['server', 'worker', 'web'])('is named with the flag to set: %s', async (name) => {
    const message = await refusal({}, ['--set-json', `global.werf.images.${name}=null`])
    expect(message).toContain(`global.werf.images.${name}.ref_tag`)
  })
})

describe('a service outside', () => {
  it.each([
    ['postgres', 'app.database_url'],
    ['redis', 'app.session_redis'],
    ['rabbitmq', 'app.amqp_uri'],
    ['s3', 'app.s3.endpoint'],
  ])('needs an address: %s', async (name, value) => {
    const message = await refusal({ [name]: { enabled: false } })
    expect(message).toContain(`${name}.enabled`)
    expect(message).toContain(value)
  })

  it.each([
    ['access_key', { access_key: { _default: '' } }],
    ['secret_key', { secret_key: { _default: '' } }],
  ])('needs keys to S3: %s', async (name, keys) => {
    expect(await refusal({ ...outside.s3, app: { s3: { ...outside.s3.app.s3, ...keys } } })).toContain(`app.s3.${name}`)
  })

  it.each([
    ['S3 outside', { s3: { enabled: false } }],
    ['S3 in the release', {}],
    ['no S3', { s3: { enabled: false }, builtIn: { storage: true } }],
  ])('is not named by the old value app.s3.host, with %s', async (_, values) => {
    const { endpoint: host, ...keys } = outside.s3.app.s3
    const message = await refusal({ ...values, app: { s3: { ...keys, host } } })
    expect(message).toContain('The name of app.s3.host is app.s3.endpoint.')
  })

  it.each(Object.entries(outside))('is refused together with the service in the release: %s', async (name, { app }) => {
    // The keys alone are allowed: the S3 service of the release uses them.
    const message = await refusal({ app })
    expect(message).toContain(`${name}.enabled=false`)
  })

  it('needs the URL of the apps and not only that of the owner', async () => {
    const app = { migrations_database_url: { _default: 'postgres://owner:password@db.example.com/chat' } }
    expect(await refusal({ app })).toContain('postgres.enabled=false')
    expect(await refusal({ postgres: { enabled: false }, app })).toContain('app.database_url')
  })

  it('is refused when only another environment has its address', async () => {
    const values = {
      global: { env: 'staging' },
      postgres: { enabled: false },
      app: { database_url: { production: 'postgres://chat:password@db.example.com/chat' } },
    }
    expect(await refusal(values)).toContain('app.database_url')
  })
})

describe('mail', () => {
  it.each([
    ['key', 'app.mailgun_apikey', { ...mailgun.app, mailgun_apikey: { _default: '' } }],
    ['domain', 'app.mailgun_domain', { ...mailgun.app, mailgun_domain: { _default: '' } }],
    ['sender', 'app.mailgun_from', { ...mailgun.app, mailgun_from: { _default: '' } }],
  ])('needs a %s', async (_, value, app) => {
    expect(await refusal({ app })).toContain(value)
  })
})

describe('contradictions', () => {
  it('are refused: secrets in values together with a Secret of your own', async () => {
    expect(
      await refusal({
        global: { existingSecret: 'mine' },
        app: { redis_password: { _default: 'given-redis-password' } },
      }),
    ).toContain('global.existingSecret')
  })

  it('are refused: URLs of services outside together with a Secret of your own', async () => {
    expect(await refusal({ ...everythingOutside, global: { existingSecret: 'mine' } })).toContain(
      'global.existingSecret',
    )
  })

  it.each(Object.entries({ storage: 's3', sessions: 'redis', bus: 'rabbitmq' }))(
    'are refused: %s built in beside %s',
    async (part, service) => {
      expect(await refusal({ builtIn: { [part]: true } })).toContain(`${service}.enabled=false`)
      const { app } = outside[service as keyof typeof outside]
      expect(await refusal({ ...builtIn[part as keyof typeof builtIn], app })).toMatch(
        new RegExp(`builtIn\\.${part} replaces app\\.`),
      )
    },
  )

  it.each(['sessions', 'storage'] as const)(
    'are refused: several copies of the server with %s built in',
    async (part) => {
      expect(await refusal({ ...builtIn[part], server: { replicas: { _default: 2 } } })).toContain('server.replicas')
      expect(await refusal({ ...builtIn[part], server: { autoscaling: { enabled: true } } })).toContain(
        'server.replicas',
      )
      expect(await refusal({ ...everythingBuiltIn, global: { env: 'production' } })).toContain('server.replicas')
    },
  )

  it('do not include several replicas of the server with the other adapters built in', async () => {
    const { stderr } = await helm('template', {
      ...builtIn.bus,
      builtIn: { bus: true, assets: true },
      server: { replicas: { _default: 2 } },
    })
    expect(stderr).toBe('')
  })

  it('are refused: an HTTPRoute without a Gateway', async () => {
    expect(await refusal({ httpRoute: { enabled: true } })).toContain('httpRoute.parentRefs')
  })

  it('are refused: generated passwords where they cannot be kept', async () => {
    expect(await refusal({}, ['--api-versions', 'argoproj.io/v1alpha1'])).toContain('global.existingSecret')
  })
})

describe('a Secret of your own', () => {
  it('is enough for Argo CD', async () => {
    const { stderr } = await helm('template', { global: { existingSecret: 'mine' } }, [
      '--api-versions',
      'argoproj.io/v1alpha1',
    ])
    expect(stderr).toBe('')
  })

  it('is enough for services outside, when it has their URLs', async () => {
    const values = {
      global: { existingSecret: 'mine' },
      postgres: { enabled: false },
      redis: { enabled: false },
      rabbitmq: { enabled: false },
      s3: { enabled: false },
      app: { s3: { endpoint: { _default: 's3.example.com' } } },
    }
    const { stderr } = await helm('template', values)
    expect(stderr).toBe('')
  })
})
