import { describe, expect, it } from 'vitest'
import { callOf, commands, gitlabConfig, gitlabJobs, preparationsOf, project, runOnGitlab } from './pipelines.js'

const mergeRequest = {
  CI_PIPELINE_SOURCE: 'merge_request_event',
  CI_COMMIT_BRANCH: '',
  CI_COMMIT_REF_SLUG: 'feature-x',
}
const branch = { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_BRANCH: 'feature/x', CI_COMMIT_REF_SLUG: 'feature-x' }
const main = { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_BRANCH: 'main', CI_DEFAULT_BRANCH: 'main' }
const tag = { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_BRANCH: '', CI_COMMIT_TAG: 'v1.2.3' }
const schedule = { ...main, CI_PIPELINE_SOURCE: 'schedule' }

const tested = { build: 'on_success', test: 'on_success' }
const accepted = {
  ...tested,
  bundle: 'on_success',
  acceptance: 'on_success',
  'dismiss acceptance': 'always',
  production: 'on_success',
}
const review = { review: 'manual', 'dismiss review': 'manual' }

describe('a pipeline on GitLab', () => {
  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['a merge request', mergeRequest, { ...tested, ...review, staging: 'manual' }],
    ['a branch', branch, { ...tested, ...review }],
    ['a branch that has a merge request already', { ...branch, CI_OPEN_MERGE_REQUESTS: 'acme/chat!7' }, {}],
    ['the default branch', main, accepted],
    ['the default branch while it has a merge request', { ...main, CI_OPEN_MERGE_REQUESTS: 'acme/chat!8' }, accepted],
    ['a version tag', tag, { ...tested, bundle: 'on_success' }],
    ['another tag', { ...tag, CI_COMMIT_TAG: 'before-the-move' }, {}],
    ['a schedule', schedule, { cleanup: 'on_success' }],
  ])('has the right jobs for %s', async (_, variables, expected) => {
    expect(await gitlabJobs(variables)).toEqual(expected)
  })
})

describe('the default branch on GitLab', () => {
  it('is built, tested, bundled and accepted before it is production', async () => {
    const { code, output, calls } = await runOnGitlab(main)
    expect(code, output).toBe(0)
    const done = commands(calls)
    expect(done.slice(0, 5)).toEqual([
      'build --final-images-only',
      'build tests --save-build-report',
      'kube-run tests --use-build-report --build-report-path .werf-build-report.json --env test-12 --rm-with-namespace -- sh -ec npm run pretest && npm run test:unit',
      'bundle publish --require-built-images --helm-compatible-chart --tag 0.0.12',
      'bundle apply --tag 0.0.12',
    ])
    // No job waits for the dismissal.
    expect(done.slice(5).sort()).toEqual(['bundle apply --tag 0.0.12', 'dismiss --with-namespace'])

    const acceptance = callOf(calls, 'bundle apply', 'acceptance-').env
    expect(acceptance.WERF_SET_HOST).toBe(`global.ci_url=${acceptance.WERF_ENV}-chat.example.com`)
    const { WERF_RELEASE, WERF_NAMESPACE } = acceptance
    expect([WERF_RELEASE, WERF_NAMESPACE]).toEqual(Array(2).fill(`${project}-${acceptance.WERF_ENV}`))
    expect(callOf(calls, 'dismiss').env).toMatchObject({ WERF_RELEASE, WERF_NAMESPACE, GIT_STRATEGY: 'none' })
    expect(callOf(calls, 'bundle apply', 'production').env).toMatchObject({
      WERF_ENV: 'production',
      WERF_RELEASE: `${project}-production`,
      WERF_NAMESPACE: `${project}-production`,
      WERF_SET_HOST: 'global.ci_url=chat.example.com',
      WERF_SET_PULL_CONFIG: 'dockerconfigjson=e30=',
      WERF_KUBECONFIG_BASE64: 'a3ViZQ==',
    })
  })

  it('prepares each job with werf ci-env', async () => {
    const { calls } = await runOnGitlab(main)
    const { prepared, jobs } = preparationsOf(calls)
    expect(prepared).toEqual(jobs.map(() => 'ci-env gitlab --as-file'))
    expect(calls.filter(({ args, env }) => args[0] !== 'ci-env' && !env.WERF_REPO?.endsWith('/acme/chat'))).toEqual([])
  })

  it('puts no values of a single environment into the bundle', async () => {
    const { calls } = await runOnGitlab(main)
    const { WERF_ENV, WERF_SET_HOST, WERF_SET_PULL_CONFIG } = callOf(calls, 'bundle publish').env
    expect({ WERF_ENV, WERF_SET_HOST, WERF_SET_PULL_CONFIG }).toEqual({
      WERF_ENV: '',
      WERF_SET_HOST: '',
      WERF_SET_PULL_CONFIG: '',
    })
  })

  it('is not deployed to production when acceptance fails, and its environment is dismissed', async () => {
    const { code, calls } = await runOnGitlab(main, { broken: 'bundle apply' })
    expect(code).not.toBe(0)
    expect(commands(calls).slice(4)).toEqual(['bundle apply --tag 0.0.12', 'dismiss --with-namespace'])
    expect(callOf(calls, 'dismiss').env.WERF_RELEASE).toBe(callOf(calls, 'bundle apply').env.WERF_RELEASE)
  })

  it.each(['build', 'kube-run', 'bundle publish'])('goes no further when "werf %s" fails', async (broken) => {
    const { code, calls } = await runOnGitlab(main, { broken })
    expect(code).not.toBe(0)
    expect(
      commands(calls)
        .filter((command) => command !== 'dismiss --with-namespace')
        .at(-1),
    ).toMatch(new RegExp(`^${broken}`))
  })
})

describe('a merge request on GitLab', () => {
  it('gets an environment that can be removed without a checkout, and staging, once its tests have passed', async () => {
    const { code, output, calls } = await runOnGitlab(mergeRequest, { manual: ['review', 'dismiss review', 'staging'] })
    expect(code, output).toBe(0)
    const done = commands(calls).filter((command) => !command.startsWith('dismiss'))
    expect(done.slice(3)).toEqual(Array(2).fill('converge --require-built-images'))

    const deployed = callOf(calls, 'converge', 'review-').env
    expect(deployed.WERF_ENV).toMatch(/^review-feature-x/)
    expect(deployed.WERF_SET_HOST).toBe(`global.ci_url=${deployed.WERF_ENV}-chat.example.com`)
    const { WERF_RELEASE, WERF_NAMESPACE } = deployed
    expect([WERF_RELEASE, WERF_NAMESPACE]).toEqual(Array(2).fill(`${project}-${deployed.WERF_ENV}`))
    expect(callOf(calls, 'dismiss').env).toMatchObject({ WERF_RELEASE, WERF_NAMESPACE, GIT_STRATEGY: 'none' })
    expect(callOf(calls, 'converge', 'staging').env).toMatchObject({
      WERF_NAMESPACE: `${project}-staging`,
      WERF_SET_HOST: 'global.ci_url=staging-chat.example.com',
    })
  })

  it('deploys nothing that has not passed its tests', async () => {
    const { code, calls } = await runOnGitlab(mergeRequest, { manual: ['review', 'staging'], broken: 'kube-run' })
    expect(code).not.toBe(0)
    expect(commands(calls).filter((command) => command.startsWith('converge'))).toEqual([])
  })
})

describe('a version tag on GitLab', () => {
  it('is published under its number, and not deployed', async () => {
    const { calls } = await runOnGitlab(tag)
    expect(commands(calls).slice(3)).toEqual([
      'bundle publish --require-built-images --helm-compatible-chart --tag 1.2.3',
    ])
  })
})

describe('the scheduled cleanup on GitLab', () => {
  it('signs in with a token that it does not print, then cleans up', async () => {
    const { code, output, calls } = await runOnGitlab({ ...schedule, WERF_IMAGES_CLEANUP_PASSWORD: 'a secret' })
    expect(code, output).toBe(0)
    const [signIn, cleanup] = commands(calls)
    expect(signIn).toMatch(/^cr login --username nobody --password-stdin \S+\/acme\/chat$/)
    expect(cleanup).toBe('cleanup')
    expect(callOf(calls, 'cr login').env.input).toBe('a secret.') // and not "a secret\n"
  })

  it('says which variable is missing', async () => {
    const { code, output } = await runOnGitlab(schedule)
    expect(code).not.toBe(0)
    expect(output).toContain('WERF_IMAGES_CLEANUP_PASSWORD: is not set')
  })
})

describe('.gitlab-ci.yml', () => {
  it('has a job that ends each temporary environment', async () => {
    const config = await gitlabConfig()
    const own = Object.values(config).filter(
      ({ environment }) => environment?.name.includes('/') && environment.action === undefined,
    )
    expect(own).toHaveLength(2)
    for (const { environment, resource_group } of own) {
      const end = config[environment?.on_stop ?? '']
      expect(end).toMatchObject({
        environment: { name: environment?.name, action: 'stop' },
        variables: { GIT_STRATEGY: 'none' },
      })
      expect(end?.resource_group).toBe(resource_group)
      expect(environment?.auto_stop_in).toMatch(/^\d+ days?$/)
    }
    // A manual job can be started after any failure.
    expect(config['dismiss review']).toMatchObject({ needs: [], rules: config.review?.rules })
  })

  it('never interrupts a deployment, and cancels all other outdated jobs', async () => {
    const jobs = Object.entries(await gitlabConfig())
    const isRisky = (job: string) => !['build', 'test', 'bundle'].includes(job)
    expect(jobs.filter(([, { interruptible }]) => interruptible === false).map(([name]) => name)).toEqual(
      jobs.map(([name]) => name).filter(isRisky),
    )
  })

  it('deploys to an environment one at a time', async () => {
    const config = await gitlabConfig()
    const places = Object.values(config).flatMap(({ environment, resource_group }) =>
      environment === undefined ? [] : [[environment.name, resource_group]],
    )
    // Each pipeline has its own namespace for acceptance.
    for (const [name, group] of places.filter(([name]) => !name?.startsWith('acceptance/'))) expect(group).toBe(name)
    expect(config.cleanup?.resource_group).toBe('cleanup')
  })
})
