import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { mustBeWritable } from './disk.js'
import type { Processes } from './processes.js'

/** A build of this project, and how to find out that it is out of date. */
interface Build {
  name: string
  /** Files and folders; a folder stands for everything in it. */
  inputs: string[]
  /** The file that the build writes last. */
  output: string
  command: { file: string; args: string[] }
}

const tsc = (app: string) => ({
  file: 'node_modules/typescript/bin/tsc',
  args: ['-p', `apps/${app}/tsconfig.build.json`, '--noEmitOnError'],
})
const settings = ['tsconfig.json', 'package-lock.json']

/** In the order of their dependencies. */
const serverBuilds: Build[] = [
  {
    name: 'server',
    inputs: [
      'apps/server/src',
      'apps/server/package.json',
      'apps/server/tsconfig.json',
      'apps/server/tsconfig.build.json',
      ...settings,
    ],
    output: 'apps/server/dist/main.js',
    command: tsc('server'),
  },
  {
    name: 'worker',
    inputs: [
      'apps/worker/src',
      'apps/server/src',
      'apps/worker/package.json',
      'apps/worker/tsconfig.json',
      'apps/worker/tsconfig.build.json',
      ...settings,
    ],
    output: 'apps/worker/dist/main.js',
    command: tsc('worker'),
  },
]

export const webBuild: Build = {
  name: 'web',
  inputs: [
    'apps/web/src',
    'apps/web/webpack.config.ts',
    'apps/web/package.json',
    'apps/web/tsconfig.json',
    'apps/server/src/contract.ts',
    ...settings,
  ],
  output: 'apps/web/dist/assets/manifest.json',
  command: { file: 'node_modules/webpack/bin/webpack.js', args: ['-c', 'apps/web/webpack.config.ts'] },
}

/** What webpack writes with `--mode development`. */
export const developmentBundle = 'apps/web/dist/assets/main.js'

/** Runs the builds that are missing or out of date. The web client is built in parallel with the server. */
export async function buildWhatIsStale(processes: Processes, env: NodeJS.ProcessEnv) {
  const builds = [serverBuilds.filter(isStale), [webBuild].filter(isStale)]
  const names = builds.flat().map(({ name }) => name)
  if (names.length > 0) {
    mustBeWritable('apps', 'Or put the project elsewhere.')
    process.stdout.write(`Building: ${names.join(', ')}.\n`)
  }
  await Promise.all(
    builds.map(async (inOrder) => {
      for (const { name, command } of inOrder) await processes.run({ name: `build of ${name}`, env, ...command })
    }),
  )
}

/** True if the output is missing, older than one of its inputs, or a development build. */
function isStale({ inputs, output }: Build): boolean {
  const built = statSync(output, { throwIfNoEntry: false })?.mtimeMs
  return built === undefined || isDevelopmentBuild(output) || inputs.some((input) => newest(input) > built)
}

/** A production build puts a hash into the names of the web client's files; a development build does not. */
function isDevelopmentBuild(output: string): boolean {
  return output === webBuild.output && existsSync(developmentBundle)
}

/** The newest time of change, in milliseconds, without tests. Deleting a file changes the time of its folder. */
function newest(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined || /\.test\.tsx?$/.test(path)) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}
