import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from './config.js'

const enough = { DATABASE_URL: 'postgres://chat@localhost/chat', COOKIE_SECRET: 'sixteen characters or more' }
const production = { ...enough, NODE_ENV: 'production', PUBLIC_URL: 'https://chat.example.com' }
const named = { SESSIONS: 'postgres', BUS: 'in-process', STORAGE: 'disk', MAILER: 'mailbox' }

function problemsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

describe('the configuration', () => {
  it('chooses the built-in adapters when their variables are not set', () => {
    expect(readConfig(enough)).toMatchObject({
      sessions: { store: { kind: 'postgres' } },
      bus: { kind: 'in-process' },
      storage: { kind: 'disk', dir: '.data/avatars' },
      mail: { kind: 'mailbox' },
    })
  })

  it('chooses the real adapters when their variables are set', () => {
    const env = {
      ...production,
      SESSION_REDIS: 'redis://:secret@redis:6379',
      AMQP_URI: 'amqp://chat:secret@rabbitmq:5672/chat',
      S3_ENDPOINT: 's3',
      S3_PORT: '7070',
      S3_SSL: 'false',
      S3_ACCESS_KEY: 'key',
      S3_SECRET_KEY: 'secret',
      CDN_PREFIX: 'https://cdn.example.com/avatars/',
      MAILGUN_APIKEY: 'key',
      MAILGUN_DOMAIN: 'mg.example.com',
      MAILGUN_FROM: 'Chat <chat@mg.example.com>',
    }
    expect(readConfig(env)).toMatchObject({
      sessions: { store: { kind: 'redis', url: env.SESSION_REDIS } },
      bus: { kind: 'rabbitmq', uri: env.AMQP_URI },
      storage: {
        kind: 's3',
        endpoint: 's3',
        port: 7070,
        ssl: false,
        accessKey: 'key',
        secretKey: 'secret',
        bucket: 'avatars',
        region: 'us-east-1',
      },
      cdnPrefix: 'https://cdn.example.com/avatars',
      mail: {
        kind: 'mailgun',
        apiKey: 'key',
        domain: 'mg.example.com',
        from: env.MAILGUN_FROM,
        url: 'https://api.mailgun.net',
      },
    })
  })

  it('names every problem at once', () => {
    const problems = problemsOf({
      S3_ENDPOINT: 's3',
      MAILGUN_APIKEY: 'key',
      PORT: 'http',
      SESSION_REDIS: 'localhost:6379',
      LIMIT_POST: 'many',
    })
    expect(problems).toEqual([
      'DATABASE_URL is missing. Set it to postgres://user:password@host:5432/name',
      'SESSION_REDIS is wrong. Set it to a URL that begins with redis:// or rediss://',
      'S3_ACCESS_KEY is missing. Set it too, because S3_ENDPOINT is set',
      'S3_SECRET_KEY is missing. Set it too, because S3_ENDPOINT is set',
      'MAILGUN_DOMAIN is missing. Set it too, because MAILGUN_APIKEY is set',
      'MAILGUN_FROM is missing. Set it too, because MAILGUN_APIKEY is set',
      'COOKIE_SECRET is missing. Set it to one or more secrets, separated by commas: the first one signs, all verify',
      'PORT is "http". Set it to a whole number from 0 to 65535',
      'LIMIT_POST is "many". Set it to attempts/seconds, like 40/10',
    ])
  })

  it('uses a built-in adapter in production only when it is chosen explicitly', () => {
    expect(problemsOf(production)).toEqual([
      'SESSION_REDIS is missing. Set it, or set SESSIONS to postgres',
      'AMQP_URI is missing. Set it, or set BUS to in-process',
      'S3_ENDPOINT is missing. Set it, or set STORAGE to disk',
      'MAILGUN_APIKEY is missing. Set it, or set MAILER to mailbox',
    ])
    expect(problemsOf({ ...production, ...named })).toEqual([])
    expect(problemsOf({ ...production, ...named, PUBLIC_URL: '' })).toEqual([
      'PUBLIC_URL is missing. Set it to the URL that people open, like https://chat.example.com',
    ])
  })

  it('refuses contradictory variables', () => {
    expect(problemsOf({ ...enough, STORAGE: 'disk', S3_SECRET_KEY: 'x', BUS: 'kafka' })).toEqual([
      'BUS is "kafka". Set it to in-process, or remove it',
      'STORAGE is disk, but S3_SECRET_KEY is set too. Remove one of them',
      'S3_ENDPOINT is missing. Set it too, because S3_SECRET_KEY is set',
      'S3_ACCESS_KEY is missing. Set it too, because S3_SECRET_KEY is set',
    ])
  })

  it('refuses a weak cookie secret, and never shows a secret', () => {
    const problems = problemsOf({
      ...enough,
      COOKIE_SECRET: 'hunter2',
      DATABASE_URL: 'mysql://root:hunter2@db',
      AMQP_URI: 'hunter2',
    })
    expect(problems).toHaveLength(3)
    expect(problems.join()).not.toContain('hunter2')
  })

  it('refuses an S3 endpoint with a scheme or port, which the client would misunderstand', () => {
    const s3 = { S3_ACCESS_KEY: 'key', S3_SECRET_KEY: 'secret' }
    for (const S3_ENDPOINT of ['http://s3', 's3:9000'])
      expect(problemsOf({ ...enough, ...s3, S3_ENDPOINT })[0]).toMatch(/^S3_ENDPOINT is wrong. Set it to a host name/)
  })

  it('reads exactly the variables that .env.example explains, each on one line', () => {
    const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8')
    const explained = [...example.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=.*$/gm)].map(([, name = '']) => name)
    expect(new Set(explained).size).toBe(explained.length)
    // The proxy collects the names that are read. Some variables are read only when others are set, so there are two environments.
    const asked = new Set<string>()
    const watched = (env: Record<string, string>) =>
      new Proxy(env, { get: (target, name: string) => (asked.add(name), target[name]) })
    readConfig(watched(enough))
    problemsOf(watched({ ...production, S3_ENDPOINT: 's3', MAILGUN_DOMAIN: 'mg.example.com' }))
    expect(explained.sort()).toEqual([...asked].sort())
  })
})
