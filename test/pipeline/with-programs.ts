import { execFileSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { buildGoProgram, findProgram, installPackages } from '../../tools/services/programs.js'

declare module 'vitest' {
  interface ProvidedContext {
    actionlint: string
    act: string
    /** A Node.js that is new enough for gitlab-ci-local, and its script. */
    gitlabCiLocal: string[]
  }
}

const actionlint = {
  name: 'actionlint',
  package: 'github.com/rhysd/actionlint/cmd/actionlint',
  version: 'v1.7.12',
  go: '1.25',
}
const act = { name: 'act', package: 'github.com/nektos/act', version: 'v0.2.89', go: '1.25' }

/** Builds and downloads the programs for the tests of the pipelines, before the first test (a minute, the first time). */
export default async function setup(project: TestProject) {
  project.provide('gitlabCiLocal', fetchGitlabCiLocal())
  project.provide(
    'actionlint',
    findProgram('actionlint') ?? (await buildGoProgram(actionlint, 'put actionlint on PATH')),
  )
  project.provide('act', findProgram('act') ?? (await buildGoProgram(act, 'put act on PATH')))
  // gitlab-ci-local copies the checkout with it.
  if (findProgram('rsync') === undefined) await installPackages(['rsync'])
}

/** gitlab-ci-local needs a newer Node.js than the project, so both are installed into the cache of npm. */
function fetchGitlabCiLocal(): string[] {
  const packages = ['node@24', 'gitlab-ci-local@4.75.1'].flatMap((name) => ['-p', name])
  const where = ['-y', ...packages, '-c', 'command -v node && command -v gitlab-ci-local']
  const output = execFileSync('npx', where, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return output.trim().split('\n')
}
