import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../apps/server/src/config.js'
import { chart } from './chart.js'
import { read } from './werf-config.js'

interface Service {
  image: string
  build?: { context: string; target: string }
  command?: string[]
  environment?: Record<string, string>
  depends_on?: string[] | Record<string, { condition: string }>
  healthcheck?: unknown
  read_only?: boolean
  ports?: string[]
}

const { services } = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> }
const ours = Object.entries(services).filter(([, { build }]) => build !== undefined)

/** Checks of compose.yaml that need no Docker engine. */
describe('compose.yaml', () => {
  it('builds its images from targets of the Dockerfile, under the names that werf compose sets', () => {
    const targets = [...read('Dockerfile').matchAll(/ AS (\S+)$/gm)].map(([, name]) => name)
    for (const [name, { build, image }] of ours) {
      expect(targets, name).toContain(build?.target)
      expect(image, name).toBe(`\${WERF_${build?.target.toUpperCase()}_DOCKER_IMAGE_NAME:-chat-${build?.target}}`)
    }
    expect(new Set(ours.map(([, { build }]) => build?.target))).toEqual(new Set(['server', 'worker', 'web']))
  })

  it('gives the apps a complete environment', () => {
    for (const name of ['server', 'worker', 'migrations', 'fixtures', 'bucket']) {
      const config = readConfig({ NODE_ENV: 'production', ...services[name]?.environment })
      expect([config.sessions.store.kind, config.bus.kind, config.storage.kind], name).toEqual([
        'redis',
        'rabbitmq',
        's3',
      ])
    }
  })

  it('gives the owner of the schema only to the migrations', () => {
    for (const [name, { environment = {} }] of ours) {
      if (name === 'web') continue
      const { databaseUrl, migrationsDatabaseUrl } = readConfig({ NODE_ENV: 'production', ...environment })
      const [apps, owner] = [databaseUrl, migrationsDatabaseUrl].map((url) => new URL(url))
      expect(apps?.username, name).not.toBe(services.postgres?.environment?.POSTGRES_USER)
      expect(owner?.username, name).toBe(
        name === 'migrations' ? services.postgres?.environment?.POSTGRES_USER : apps?.username,
      )
      expect(apps?.password, name).not.toBe(services.postgres?.environment?.POSTGRES_PASSWORD)
    }
  })

  it('protects Redis with a password, and publishes no port of it', () => {
    const { command = [], environment = {}, ports, healthcheck } = services.redis ?? {}
    const [, password] = command.slice(command.indexOf('--requirepass'))
    expect(password).toMatch(/.{8,}/)
    expect(ports).toBeUndefined()
    // redis-cli in the health check reads this variable.
    expect([environment.REDISCLI_AUTH, JSON.stringify(healthcheck)]).toEqual([
      password,
      expect.stringContaining('redis-cli'),
    ])
    for (const [name, { environment: own = {} }] of ours) {
      if (name !== 'web') expect(decodeURIComponent(new URL(own.SESSION_REDIS ?? '').password), name).toBe(password)
    }
  })

  it('runs the services in the versions of the chart', () => {
    for (const name of ['postgres', 'redis', 'rabbitmq', 's3']) {
      const { image } = parse(readFileSync(join(chart, 'charts', name, 'values.yaml'), 'utf8')) as {
        image: { repository: string; tag: string }
      }
      expect(services[name]?.image).toBe(`${image.repository}:${image.tag}`)
    }
  })

  it('waits only for conditions that services can meet', () => {
    for (const [name, { depends_on = {} }] of Object.entries(services)) {
      const needed = Array.isArray(depends_on)
        ? Object.fromEntries(depends_on.map((one) => [one, { condition: 'service_started' }]))
        : depends_on
      for (const [other, { condition }] of Object.entries(needed)) {
        expect(Object.keys(services), name).toContain(other)
        if (condition === 'service_healthy')
          expect(services[other]?.healthcheck, `${name} waits for ${other}`).toBeDefined()
        if (condition === 'service_completed_successfully')
          expect(services[other]?.command, `${name} waits for ${other}`).toContain('apps/server/dist/cli.js')
      }
    }
  })

  it('publishes one port, on this machine only, and gives the apps a read-only file system', () => {
    expect(Object.values(services).flatMap(({ ports = [] }) => ports)).toEqual(['127.0.0.1:8080:80'])
    expect(ours.filter(([, { read_only }]) => read_only !== true)).toEqual([])
  })
})
