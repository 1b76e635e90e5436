import { readFileSync } from 'node:fs'
import { Explained } from './platform/explain.js'
import type { Limit } from './platform/limiter.js'

/** The version in package.json, the default of APP_VERSION. */
const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/** Only this file reads the environment. The choice of an adapter is a union, so an incomplete choice cannot exist. */

export interface S3Config {
  kind: 's3'
  endpoint: string
  port: number
  ssl: boolean
  accessKey: string
  secretKey: string
  bucket: string
  /** Part of every signature. Amazon demands the right region, other servers accept any. */
  region: string
}

export interface MailgunConfig {
  kind: 'mailgun'
  apiKey: string
  domain: string
  from: string
  /** Base URL of the API. The EU region has its own. */
  url: string
}

export interface Config {
  production: boolean
  /** The release, as in /version, logs and metrics. */
  version: string
  logLevel: string
  host: string
  port: number
  metricsPort: number
  /** The origin that people open in the browser, without a trailing slash. Null: the host of the request, if it is this machine. */
  publicUrl: string | null
  /** Where the tasks doctor and acceptance reach the chat when they cannot use PUBLIC_URL. Null: they can. */
  internalUrl: string | null
  /** Number of reverse proxies in front whose X-Forwarded-For is trusted. */
  trustedProxies: number
  databaseUrl: string
  /** The same database with the owner of its schema as the role. The same URL when the apps own the schema. */
  migrationsDatabaseUrl: string
  poolSize: number
  sessions: {
    store: { kind: 'redis'; url: string } | { kind: 'postgres' }
    ttlSeconds: number
    maxAgeSeconds: number
    secrets: string[]
  }
  bus: { kind: 'rabbitmq'; uri: string } | { kind: 'in-process' }
  storage: S3Config | { kind: 'disk'; dir: string }
  /** The URL from which browsers load avatars, without a trailing slash. Null: from the chat server. */
  cdnPrefix: string | null
  mail: MailgunConfig | { kind: 'mailbox' }
  /** The content of `GET /assets/config.json` when no nginx serves it. */
  web: { domain: string; loginUrl: string }
  limits: {
    signIn: Limit
    signUp: Limit
    guess: Limit
    invite: Limit
    post: Limit
    signal: Limit
    upload: Limit
    room: Limit
  }
  /** How long the server still answers after a signal, so that proxies stop sending requests first. */
  drainMs: number
  /** The process exits after this time, even when it has not stopped gracefully. */
  stopTimeoutMs: number
}

/** All problems of the environment at once, one per line. */
export class ConfigError extends Explained {
  constructor(readonly problems: string[]) {
    super(`Some environment variables are missing or wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
  }
}

/**
 * Reads the configuration. Outside production, an adapter without its variables is the built-in one. In production each
 * built-in adapter must be chosen explicitly (`STORAGE=disk`), so that a forgotten variable cannot lose data unnoticed.
 * @throws ConfigError with every problem.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = []
  const production = env.NODE_ENV === 'production'

  const text = (name: string) => env[name]?.trim() || undefined
  const required = (name: string, advice?: string) => {
    const value = text(name)
    if (value === undefined) problems.push(`${name} is missing${advice === undefined ? '' : `. ${advice}`}`)
    return value ?? ''
  }
  const whole = (name: string, fallback: number, min: number, max: number) => {
    const value = text(name)
    if (value === undefined) return fallback
    if (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
    problems.push(`${name} is "${value}". Set it to a whole number from ${min} to ${max}`)
    return fallback
  }
  const flag = (name: string, fallback: boolean) => {
    const value = text(name)?.toLowerCase()
    if (value === undefined) return fallback
    if (value !== 'true' && value !== 'false') problems.push(`${name} is "${value}". Set it to true or false`)
    return value === 'true'
  }
  const url = (name: string, value: string | undefined, ...protocols: string[]) => {
    if (value === undefined || value === '') return
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    // The message does not show the value, because URLs contain passwords.
    if (parsed === undefined || !protocols.includes(parsed.protocol)) {
      problems.push(
        `${name} is wrong. Set it to a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
      )
    }
  }
  const limit = (name: string, points: number, seconds: number): Limit => {
    const match = /^(\d+)\/(\d+)$/.exec(text(name) ?? `${points}/${seconds}`)
    if (match !== null && Number(match[1]) > 0 && Number(match[2]) > 0)
      return { points: Number(match[1]), seconds: Number(match[2]) }
    problems.push(`${name} is "${text(name)}". Set it to attempts/seconds, like ${points}/${seconds}`)
    return { points, seconds }
  }
  /** Returns a variable of the real adapter that is set. Undefined: the built-in adapter, which production must choose. */
  const outside = (chooser: string, builtIn: string, names: string[]) => {
    const choice = text(chooser)
    if (choice !== undefined && choice !== builtIn)
      problems.push(`${chooser} is "${choice}". Set it to ${builtIn}, or remove it`)
    const set = names.find((name) => text(name) !== undefined)
    if (set !== undefined && choice === builtIn)
      problems.push(`${chooser} is ${builtIn}, but ${set} is set too. Remove one of them`)
    if (set === undefined && choice === undefined && production) {
      problems.push(`${names[0]} is missing. Set it, or set ${chooser} to ${builtIn}`)
    }
    return set
  }

  const databaseUrl = required('DATABASE_URL', 'Set it to postgres://user:password@host:5432/name')
  url('DATABASE_URL', databaseUrl, 'postgres:', 'postgresql:')
  url('MIGRATIONS_DATABASE_URL', text('MIGRATIONS_DATABASE_URL'), 'postgres:', 'postgresql:')

  const redis = outside('SESSIONS', 'postgres', ['SESSION_REDIS'])
  url('SESSION_REDIS', text('SESSION_REDIS'), 'redis:', 'rediss:')
  const rabbitmq = outside('BUS', 'in-process', ['AMQP_URI'])
  url('AMQP_URI', text('AMQP_URI'), 'amqp:', 'amqps:')

  const s3Names = ['S3_ENDPOINT', 'S3_PORT', 'S3_SSL', 'S3_ACCESS_KEY', 'S3_SECRET_KEY', 'S3_BUCKET', 'S3_REGION']
  const s3 = outside('STORAGE', 'disk', s3Names)
  const s3Ssl = flag('S3_SSL', true)
  const storage: Config['storage'] =
    s3 === undefined
      ? { kind: 'disk', dir: `${text('DATA_DIR') ?? '.data'}/avatars` }
      : {
          kind: 's3',
          endpoint: required('S3_ENDPOINT', `Set it too, because ${s3} is set`),
          port: whole('S3_PORT', s3Ssl ? 443 : 80, 1, 65535),
          ssl: s3Ssl,
          accessKey: required('S3_ACCESS_KEY', `Set it too, because ${s3} is set`),
          secretKey: required('S3_SECRET_KEY', `Set it too, because ${s3} is set`),
          bucket: text('S3_BUCKET') ?? 'avatars',
          region: text('S3_REGION') ?? 'us-east-1',
        }
  if (storage.kind === 's3' && /[:/]/.test(storage.endpoint)) {
    problems.push(
      'S3_ENDPOINT is wrong. Set it to a host name, S3_PORT to the port, and S3_SSL to true or false for TLS',
    )
  }

  const mailgun = outside('MAILER', 'mailbox', ['MAILGUN_APIKEY', 'MAILGUN_DOMAIN', 'MAILGUN_FROM', 'MAILGUN_URL'])
  const mail: Config['mail'] =
    mailgun === undefined
      ? { kind: 'mailbox' }
      : {
          kind: 'mailgun',
          apiKey: required('MAILGUN_APIKEY', `Set it too, because ${mailgun} is set`),
          domain: required('MAILGUN_DOMAIN', `Set it too, because ${mailgun} is set`),
          from: required('MAILGUN_FROM', `Set it too, because ${mailgun} is set`),
          url: text('MAILGUN_URL') ?? 'https://api.mailgun.net',
        }
  url('MAILGUN_URL', text('MAILGUN_URL'), 'https:', 'http:')

  const secrets = required(
    'COOKIE_SECRET',
    'Set it to one or more secrets, separated by commas: the first one signs, all verify',
  )
    .split(',')
    .map((secret) => secret.trim())
  if (text('COOKIE_SECRET') !== undefined && secrets.some((secret) => secret.length < 16)) {
    problems.push('COOKIE_SECRET is too short. Set each of its secrets to 16 characters or more')
  }

  const publicUrl = production
    ? required('PUBLIC_URL', 'Set it to the URL that people open, like https://chat.example.com')
    : text('PUBLIC_URL')
  url('PUBLIC_URL', publicUrl, 'https:', 'http:')
  url('INTERNAL_URL', text('INTERNAL_URL'), 'https:', 'http:')
  url('CDN_PREFIX', text('CDN_PREFIX'), 'https:', 'http:')

  const config: Config = {
    production,
    version: text('APP_VERSION') ?? own.version,
    logLevel: text('DEBUG') === undefined ? 'info' : 'debug',
    host: text('HOST') ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: whole('PORT', 8080, 0, 65535),
    metricsPort: whole('METRICS_PORT', 9464, 0, 65535),
    publicUrl: publicUrl === undefined || !URL.canParse(publicUrl) ? null : new URL(publicUrl).origin,
    internalUrl: text('INTERNAL_URL')?.replace(/\/+$/, '') ?? null,
    trustedProxies: whole('TRUSTED_PROXIES', 0, 0, 10),
    databaseUrl,
    migrationsDatabaseUrl: text('MIGRATIONS_DATABASE_URL') ?? databaseUrl,
    poolSize: whole('DATABASE_POOL', 10, 2, 200),
    sessions: {
      store: redis === undefined ? { kind: 'postgres' } : { kind: 'redis', url: required('SESSION_REDIS') },
      ttlSeconds: whole('SESSION_TTL', 7 * 24 * 3600, 60, 365 * 24 * 3600),
      maxAgeSeconds: whole('SESSION_MAX_AGE', 30 * 24 * 3600, 60, 365 * 24 * 3600),
      secrets,
    },
    bus: rabbitmq === undefined ? { kind: 'in-process' } : { kind: 'rabbitmq', uri: required('AMQP_URI') },
    storage,
    cdnPrefix: text('CDN_PREFIX')?.replace(/\/+$/, '') ?? null,
    mail,
    web: { domain: text('WEB_DOMAIN') ?? '', loginUrl: text('WEB_LOGIN_URL') ?? '/sign-in' },
    limits: {
      signIn: limit('LIMIT_SIGN_IN', 20, 900),
      signUp: limit('LIMIT_SIGN_UP', 20, 3600),
      guess: limit('LIMIT_GUESS', 100, 900),
      invite: limit('LIMIT_INVITE', 100, 3600),
      post: limit('LIMIT_POST', 40, 10),
      signal: limit('LIMIT_SIGNAL', 300, 10),
      upload: limit('LIMIT_UPLOAD', 20, 3600),
      room: limit('LIMIT_ROOM', 50, 3600),
    },
    drainMs: whole('DRAIN_MS', production ? 5_000 : 0, 0, 60_000),
    stopTimeoutMs: whole('STOP_TIMEOUT_MS', production ? 25_000 : 8_000, 100, 600_000),
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}
