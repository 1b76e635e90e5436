import { defaults } from './chart.js'

/** Values for each service outside the release. */
export const outside = {
  postgres: {
    postgres: { enabled: false },
    app: { database_url: { _default: 'postgres://chat:outside-postgres-password@db.example.com:5432/chat' } },
  },
  redis: {
    redis: { enabled: false },
    app: { session_redis: { _default: 'rediss://:outside-redis-password@redis.example.com:6379' } },
  },
  rabbitmq: {
    rabbitmq: { enabled: false },
    app: { amqp_uri: { _default: 'amqps://chat:outside-rabbitmq-password@mq.example.com:5671' } },
  },
  s3: {
    s3: { enabled: false },
    app: {
      s3: {
        endpoint: { _default: 's3.example.com' },
        access_key: { _default: 'outside-access-key' },
        secret_key: { _default: 'outside-secret-key' },
      },
    },
  },
}

export const everythingOutside = {
  ...outside.postgres,
  ...outside.redis,
  ...outside.rabbitmq,
  ...outside.s3,
  app: { ...outside.postgres.app, ...outside.redis.app, ...outside.rabbitmq.app, ...outside.s3.app },
}

/** Values for each built-in adapter. */
export const builtIn = {
  assets: { builtIn: { assets: true } },
  storage: { builtIn: { storage: true }, s3: { enabled: false } },
  sessions: { builtIn: { sessions: true }, redis: { enabled: false } },
  bus: { builtIn: { bus: true }, rabbitmq: { enabled: false } },
}

export const everythingBuiltIn = {
  ...builtIn.storage,
  ...builtIn.sessions,
  ...builtIn.bus,
  builtIn: { assets: true, storage: true, sessions: true, bus: true },
}

export const mailgun = {
  app: {
    mailgun_domain: { _default: 'mg.example.com' },
    mailgun_from: { _default: 'Chat <chat@mg.example.com>' },
    mailgun_apikey: { _default: 'given-mailgun-key' },
  },
}

/** Every secret that values may set, so that none is random. */
export const given = {
  app: {
    cookie_secret: { _default: 'given-cookie-secret' },
    postgres_password: { _default: 'given-postgres+pass word/%' },
    postgres_app_password: { _default: 'given-apps+pass word/%' },
    redis_password: { _default: 'given-redis-password' },
    rabbitmq_password: { _default: 'given-rabbitmq-password' },
    s3: { access_key: { _default: 'given-s3-access-key' }, secret_key: { _default: 'given-s3-secret-key' } },
    mailgun_domain: mailgun.app.mailgun_domain,
    mailgun_from: mailgun.app.mailgun_from,
    mailgun_apikey: mailgun.app.mailgun_apikey,
  },
}

const environment = (env: string) => ({ global: { env } })
const on = { enabled: { _default: true } }
const dockerconfigjson = Buffer.from(
  JSON.stringify({ auths: { 'registry.example.com': { auth: 'cmVnaXN0cnktdXNlcjpyZWdpc3RyeS1wYXNzd29yZA==' } } }),
).toString('base64')

/** The values of each environment, and of each switch. */
export const cases: Record<string, object> = {
  'no environment': {},
  ...Object.fromEntries([...defaults.environments, 'review-feature-x'].map((name) => [name, environment(name)])),
  'an address of its own': { global: { ci_url: 'feature-x.example.com' } },
  autoscaling: { server: { autoscaling: { enabled: true } } },
  'an HTTPRoute instead of an Ingress': {
    ingress: { enabled: false },
    httpRoute: { enabled: true, parentRefs: [{ name: 'public', namespace: 'gateways' }] },
  },
  TLS: {
    ingress: {
      tls: { ...on, secretName: 'certificate', annotations: { 'cert-manager.io/cluster-issuer': 'letsencrypt' } },
    },
  },
  'no Ingress class': { ingress: { class: { _default: '' } } },
  'no network policies': { networkPolicies: { enabled: false } },
  'network policies for known neighbours': {
    networkPolicies: { ingressNamespace: 'ingress-nginx', metricsNamespace: 'monitoring' },
  },
  'the acceptance test': { acceptance: on },
  fixtures: { fixtures: on },
  'fixtures in production': { ...environment('production'), fixtures: { enabled: { production: true } } },
  ...Object.fromEntries(Object.entries(outside).map(([name, values]) => [`a ${name} outside`, values])),
  'every service outside': everythingOutside,
  ...Object.fromEntries(Object.entries(builtIn).map(([name, values]) => [`${name} built in`, values])),
  'everything built in': everythingBuiltIn,
  'everything built in, and Mailgun': { ...everythingBuiltIn, ...mailgun },
  'a database without a volume': { postgres: { storage: { enabled: false } } },
  'no upkeep': { upkeep: { enabled: false } },
  'a Secret made outside': { global: { existingSecret: 'outside-secrets' } },
  'a registry Secret made outside': { registry: { existingSecret: 'outside-registry' } },
  'a registry Secret from a Docker config': { dockerconfigjson },
  Mailgun: mailgun,
  'every secret given': given,
  'everything optional': {
    app: {
      debug: { _default: '1' },
      cdn_prefix: { _default: 'https://cdn.example.com' },
      session_ttl: { _default: 3600 },
      session_max_age: { _default: 86400 },
      limits: Object.fromEntries(
        ['sign_in', 'sign_up', 'post', 'upload', 'guess', 'invite', 'signal', 'room'].map((name) => [
          name,
          { _default: '10/60' },
        ]),
      ),
    },
    publicUrl: { _default: 'https://chat.example.com:8443' },
    domain: { _default: 'https://chat.example.com' },
    loginUrl: { _default: '/welcome' },
  },
}
