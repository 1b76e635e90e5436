import { execFile, execFileSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { read, root } from '../../tools/test/repository.js'

export { read, root } from '../../tools/test/repository.js'
export const workflows = readdirSync(join(root, '.github/workflows')).map((name) => `.github/workflows/${name}`)

const documents = parseAllDocuments(read('werf.yaml')).map(
  (document) => document.toJS() as { project?: string; image?: string },
)
/** The name of the project and the names of its images, from werf.yaml. */
export const project = documents[0]?.project
export const images = documents.flatMap(({ image }) => image ?? [])

/** A call of werf: its arguments and its environment variables. */
export interface Call {
  args: string[]
  env: Record<string, string>
}

export interface Run {
  code: number
  output: string
  /** In order. */
  calls: Call[]
}

/** Variables of both pipelines. */
const settings = { DOMAIN: 'chat.example.com', WERF_KUBECONFIG_BASE64: 'a3ViZQ==', PULL_CONFIG: 'e30=' }

/** Jobs that GitLab starts, or offers, for a pipeline with these variables, and when. */
export async function gitlabJobs(variables: Record<string, string>): Promise<Record<string, string>> {
  const folder = checkout()
  // gitlab-ci-local lists jobs even when the rules of the workflow start no pipeline. Then this variable is missing.
  appendFileSync(join(folder, '.gitlab-ci.yml'), '\nwanted: {rules: [{if: $PURPOSE}], script: ["true"]}\n')
  const { output } = await gitlabCiLocal(folder, ['--list-json'], variables)
  const all = JSON.parse(/^\[$[^]*^\]$/m.exec(output)?.[0] ?? '') as { name: string; when: string }[]
  const { wanted, ...jobs } = Object.fromEntries(
    all.filter(({ when }) => when !== 'never').map(({ name, when }) => [name, when]),
  )
  return wanted === undefined ? {} : jobs
}

export interface GitlabJob {
  script: string[]
  before_script: string[]
  needs?: unknown[]
  rules: { if: string; when?: string }[]
  variables?: Record<string, string>
  environment?: { name: string; url?: string; action?: string; on_stop?: string; auto_stop_in?: string }
  resource_group?: string
  interruptible?: boolean
}

/** The jobs of .gitlab-ci.yml with all that they inherit, and with the defaults. */
export async function gitlabConfig(): Promise<Record<string, GitlabJob>> {
  const { output } = await gitlabCiLocal(checkout(), ['--preview'], {})
  const config = parse(output.slice(output.search(/^---$/m))) as Record<string, GitlabJob>
  return Object.fromEntries(Object.entries(config).filter(([, job]) => typeof job === 'object' && 'script' in job))
}

/** Runs the jobs that GitLab starts by itself, and these manual ones. A call of werf that begins with `broken` fails. */
export async function runOnGitlab(
  variables: Record<string, string>,
  { manual = [] as string[], broken = '' } = {},
): Promise<Run> {
  const folder = checkout()
  const args = ['--force-shell-executor', '--no-color', ...manual.flatMap((job) => ['--manual', job])]
  return {
    ...(await gitlabCiLocal(folder, args, { ...settings, CI_PIPELINE_IID: '12', ...variables }, broken)),
    calls: callsIn(folder),
  }
}

/** Runs a workflow for an event. A call of werf that begins with `broken` fails, and so does the job `failing`. */
export async function runOnGithub(
  workflow: string,
  event: string,
  payload: object,
  { broken = '', failing = '' } = {},
): Promise<Run> {
  const folder = checkout()
  if (failing !== '') replaceByFailure(join(folder, '.github/workflows', workflow), failing)
  writeFileSync(join(folder, '.git/event.json'), JSON.stringify(payload))
  const { DOMAIN, ...secrets } = settings
  const env = environment(folder, broken)
  const result = await execute(
    inject('act'),
    [
      ...[
        event,
        '--directory',
        folder,
        '--workflows',
        `.github/workflows/${workflow}`,
        '--eventpath',
        join(folder, '.git/event.json'),
      ],
      // On this machine, without containers and downloads: the programs that the actions would install are here.
      ...['--platform', 'ubuntu-latest=-self-hosted', '--container-daemon-socket', '-'],
      ...actions().flatMap((action) => ['--local-repository', `${action}=${actionIn(folder, action)}`]),
      ...['--var', `DOMAIN=${DOMAIN}`, '--secret', 'GITHUB_TOKEN=token'],
      ...Object.entries(secrets).flatMap(([name, value]) => ['--secret', `${name}=${value}`]),
      ...['CALLS', 'BREAK'].flatMap((name) => ['--env', `${name}=${env[name]}`]),
    ],
    folder,
    env,
  )
  return { ...result, calls: callsIn(folder) }
}

/** act stops at once when a called workflow fails. When a job of the workflow itself fails, act goes on to jobs with `always()`. */
function replaceByFailure(file: string, name: string) {
  const workflow = parse(readFileSync(file, 'utf8')) as { jobs: Record<string, Record<string, unknown>> }
  const { needs, if: condition } = workflow.jobs[name] ?? {}
  workflow.jobs[name] = { needs, if: condition, 'runs-on': 'ubuntu-latest', steps: [{ run: 'exit 1', shell: 'bash' }] }
  writeFileSync(file, stringify(workflow, { aliasDuplicateObjects: false }))
}

/** Actions that the workflows use, without a path inside: actions/checkout@v1. */
function actions(): string[] {
  const used = workflows.flatMap((file) => [...read(file).matchAll(/uses: ([\w-]+\/[\w-]+)[\w/-]*(@\S+)/g)])
  return [...new Set(used.map(([, repository, version]) => `${repository}${version}`))]
}

/** A folder with an action that does nothing, under the name of each action. */
function actionIn(folder: string, action: string): string {
  const place = join(folder, '.git/actions', action)
  for (const path of [place, join(place, 'install')]) {
    mkdirSync(path, { recursive: true })
    writeFileSync(
      join(path, 'action.yml'),
      'name: nothing\ninputs: {channel: {}}\nruns: {using: composite, steps: [{run: "true", shell: bash}]}\n',
    )
  }
  return place
}

function gitlabCiLocal(folder: string, args: string[], variables: Record<string, string>, broken = '') {
  const [node = '', script = ''] = inject('gitlabCiLocal')
  const given = Object.entries(variables).flatMap(([name, value]) => ['--variable', `${name}=${value}`])
  const flags = ['--home', join(folder, '.git/home'), '--ignore-predefined-vars', Object.keys(variables).join(',')]
  return execute(node, [script, ...flags, ...args, ...given], folder, environment(folder, broken))
}

/** A repository with the files of the pipelines, new for each run and removed after the test. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-pipeline-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const file of ['.gitlab-ci.yml', 'werf.yaml', ...workflows]) cpSync(join(root, file), join(folder, file))
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args], { cwd: folder })
  git('init', '--quiet', '--initial-branch=main')
  git('remote', 'add', 'origin', 'https://github.com/acme/chat.git')
  git('add', '--all')
  git('commit', '--quiet', '--message=Begin')
  appendFileSync(join(folder, '.git/info/exclude'), '.gitlab-ci-local\n')
  return folder
}

/** A small environment, so that no variable of a pipeline or of werf on this machine has an effect. */
function environment(folder: string, broken: string): Record<string, string> {
  const path = [join(root, 'test/pipeline'), process.env.PATH ?? ''].join(delimiter)
  return { PATH: path, HOME: join(folder, '.git/home'), CALLS: join(folder, '.git/calls'), BREAK: broken }
}

function callsIn(folder: string): Call[] {
  const list = (text = '') => text.split('\x1f').slice(0, -1)
  const lines = readFileSync(join(folder, '.git/calls'), { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1)
  return lines.map((line) => {
    const [args, variables] = line.split('\x1e')
    const env = list(variables).map(
      (variable) => [variable.slice(0, variable.indexOf('=')), variable.slice(variable.indexOf('=') + 1)] as const,
    )
    return { args: list(args), env: Object.fromEntries(env) }
  })
}

function execute(
  program: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Omit<Run, 'calls'>> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env, maxBuffer: 32 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1,
        output: `${stderr}\n${stdout}`,
      })
    })
  })
}

/** The commands of werf as typed, without the preparation of each job. */
export function commands(calls: Call[]): string[] {
  return calls.map(({ args }) => args.join(' ')).filter((command) => !command.startsWith('ci-env '))
}

/** The calls of ci-env, and one call of werf for each job. */
export function preparationsOf(calls: Call[]): { prepared: string[]; jobs: string[] } {
  const prepared = calls.map(({ args }) => args.join(' ')).filter((command) => command.startsWith('ci-env '))
  return { prepared, jobs: commands(calls).filter((command) => command !== 'build tests --save-build-report') }
}

/** The call that begins with these words. @throws when there is none, or more than one. */
export function callOf(calls: Call[], beginning: string, env?: string): Call {
  const found = calls.filter(
    (call) => call.args.join(' ').startsWith(beginning) && (env === undefined || call.env.WERF_ENV?.startsWith(env)),
  )
  if (found.length !== 1) throw new Error(`werf ${beginning}: ${found.length} calls`)
  return found[0] as Call
}
