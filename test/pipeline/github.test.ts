import { execFileSync } from 'node:child_process'
import { describe, expect, inject, it } from 'vitest'
import { parse } from 'yaml'
import { callOf, commands, preparationsOf, project, read, root, runOnGithub, workflows } from './pipelines.js'

const main = { ref: 'refs/heads/main' }
const pullRequest = (labels: string[], more: object = {}, fork = false) => ({
  action: 'synchronize',
  number: 7,
  pull_request: { head: { sha: 'abc', repo: { fork } }, labels: labels.map((name) => ({ name })) },
  ...more,
})

describe('the default branch on GitHub', () => {
  it('is built, tested, bundled and accepted before it is production', async () => {
    const { code, output, calls } = await runOnGithub('pipeline.yml', 'push', main)
    expect(code, output).toBe(0)
    const done = commands(calls)
    expect(done.slice(0, 5)).toEqual([
      'build --final-images-only',
      'build tests --save-build-report',
      'kube-run tests --use-build-report --build-report-path .werf-build-report.json --env test-1 --rm-with-namespace -- sh -ec npm run pretest && npm run test:unit',
      'bundle publish --require-built-images --helm-compatible-chart --tag 0.0.1',
      'bundle apply --tag 0.0.1',
    ])
    expect(done.slice(5).sort()).toEqual(['bundle apply --tag 0.0.1', 'dismiss --with-namespace'])

    const names = { WERF_RELEASE: `${project}-acceptance-1`, WERF_NAMESPACE: `${project}-acceptance-1` }
    expect(callOf(calls, 'bundle apply', 'acceptance').env).toMatchObject({
      ...names,
      WERF_ENV: 'acceptance-1',
      WERF_SET_HOST: 'global.ci_url=acceptance-1-chat.example.com',
    })
    expect(callOf(calls, 'dismiss').env).toMatchObject(names)
    expect(callOf(calls, 'bundle apply', 'production').env).toMatchObject({
      WERF_RELEASE: `${project}-production`,
      WERF_NAMESPACE: `${project}-production`,
      WERF_SET_HOST: 'global.ci_url=chat.example.com',
      WERF_SET_PULL_CONFIG: 'dockerconfigjson=e30=',
      WERF_KUBECONFIG_BASE64: 'a3ViZQ==',
    })
  })

  it('prepares each job with werf ci-env', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'push', main)
    const { prepared, jobs } = preparationsOf(calls)
    expect(prepared).toEqual(jobs.map(() => 'ci-env github --as-file'))
    expect(calls.filter(({ args, env }) => args[0] !== 'ci-env' && env.WERF_REPO !== 'ghcr.io/acme/chat/chat')).toEqual(
      [],
    )
  })

  it('puts no values of a single environment into the bundle', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'push', main)
    const nothing = {
      WERF_ENV: '',
      WERF_RELEASE: '',
      WERF_SET_HOST: 'global.ci_url=',
      WERF_SET_PULL_CONFIG: 'dockerconfigjson=',
    }
    expect(callOf(calls, 'bundle publish').env).toMatchObject(nothing)
  })

  it('is not deployed to production when acceptance fails, and its environment is dismissed', async () => {
    const { code, output, calls } = await runOnGithub('pipeline.yml', 'push', main, { failing: 'acceptance' })
    expect(code, output).not.toBe(0)
    expect(commands(calls).slice(4)).toEqual(['dismiss --with-namespace'])
    expect(callOf(calls, 'dismiss').env).toMatchObject({
      WERF_RELEASE: `${project}-acceptance-1`,
      WERF_NAMESPACE: `${project}-acceptance-1`,
    })
  })

  it.each(['build', 'kube-run', 'bundle publish'])('goes no further when "werf %s" fails', async (broken) => {
    const { code, calls } = await runOnGithub('pipeline.yml', 'push', main, { broken })
    expect(code).not.toBe(0)
    expect(commands(calls).at(-1)).toMatch(new RegExp(`^${broken}`))
  })
})

describe('a pull request on GitHub', () => {
  it('gets an environment of its own for a label', async () => {
    const { code, output, calls } = await runOnGithub('pipeline.yml', 'pull_request', pullRequest(['review']))
    expect(code, output).toBe(0)
    expect(commands(calls).slice(3)).toEqual(['converge --require-built-images'])
    expect(callOf(calls, 'converge').env).toMatchObject({
      WERF_ENV: 'review-7',
      WERF_NAMESPACE: `${project}-review-7`,
      WERF_SET_HOST: 'global.ci_url=review-7-chat.example.com',
    })
  })

  it('is only built and tested without that label', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'pull_request', pullRequest(['question']))
    expect(commands(calls).map((command) => command.split(' ')[0])).toEqual(['build', 'build', 'kube-run'])
  })

  it('is not built when it comes from a fork, which has no access to the registry', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'pull_request', pullRequest(['review'], {}, true))
    expect(commands(calls)).toEqual([])
  })

  it('deploys nothing that has not passed its tests', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'pull_request', pullRequest(['review']), { broken: 'kube-run' })
    expect(commands(calls).filter((command) => command.startsWith('converge'))).toEqual([])
  })

  it.each([
    ['it is closed', { action: 'closed' }, 1],
    ['it loses the label', { action: 'unlabeled', label: { name: 'review' } }, 1],
    ['it loses another label', { action: 'unlabeled', label: { name: 'question' } }, 0],
  ])('has its environment removed, or not, when %s', async (_, happening, times) => {
    const { calls } = await runOnGithub('dismiss.yml', 'pull_request_target', pullRequest([], happening))
    expect(commands(calls)).toEqual(Array(times).fill('dismiss --with-namespace'))
    if (times > 0)
      expect(callOf(calls, 'dismiss').env).toMatchObject({
        WERF_RELEASE: `${project}-review-7`,
        WERF_NAMESPACE: `${project}-review-7`,
      })
  })
})

describe('other events on GitHub', () => {
  it('deploy a branch to staging by hand', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'workflow_dispatch', { ref: 'refs/heads/feature-x' })
    expect(commands(calls).slice(3)).toEqual(['converge --require-built-images'])
    expect(callOf(calls, 'converge').env).toMatchObject({
      WERF_ENV: 'staging',
      WERF_NAMESPACE: `${project}-staging`,
      WERF_SET_HOST: 'global.ci_url=staging-chat.example.com',
    })
  })

  it('publish a version tag under its number', async () => {
    const { calls } = await runOnGithub('pipeline.yml', 'push', { ref: 'refs/tags/v1.2.3' })
    expect(commands(calls).slice(3)).toEqual([
      'bundle publish --require-built-images --helm-compatible-chart --tag 1.2.3',
    ])
  })

  it('clean up, on a schedule', async () => {
    const { calls } = await runOnGithub('cleanup.yml', 'schedule', {})
    expect(commands(calls)).toEqual(['cleanup'])
  })
})

describe('the workflows', () => {
  it('have no error that actionlint finds', () => {
    // Throws with the output of actionlint. Without shellcheck, so that the result is the same on all machines.
    execFileSync(inject('actionlint'), ['-no-color', '-shellcheck=', '-pyflakes=', ...workflows], {
      cwd: root,
      encoding: 'utf8',
    })
  })

  it.each(workflows.filter((file) => !file.endsWith('/werf.yml')))('%s has the least permissions', (file) => {
    const { permissions } = parse(read(file)) as { permissions?: Record<string, string> }
    expect(permissions).toMatchObject({ contents: 'read' })
    expect(Object.keys(permissions ?? {}).sort()).toEqual(['contents', 'packages'])
  })

  it('never check out a pull request in a workflow that has secrets', () => {
    const { jobs } = parse(read('.github/workflows/werf.yml')) as {
      jobs: { werf: { steps: { with?: { ref?: string } }[] } }
    }
    const refs = jobs.werf.steps.flatMap((step) => step.with?.ref ?? [])
    expect(refs).toEqual(["${{ github.event_name == 'pull_request' && github.event.pull_request.head.sha || '' }}"])
    expect(workflows.filter((file) => read(file).includes('pull_request_target:'))).toEqual([
      '.github/workflows/dismiss.yml',
    ])
  })
})
