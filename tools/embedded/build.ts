import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { mustBeWritable } from './disk.js'
import type { Processes } from './processes.js'

/** A build of this project, and how to tell that it has to be done again. */
interface Build {
  name: string
  /** Files and folders; a folder stands for everything in it. */
  inputs: string[]
  /** Written by the build at its end. */
  output: string
  command: { file: string; args: string[] }
}

const tsc = (app: string) => ({
  file: 'node_modules/typescript/bin/tsc',
  args: ['-p', `apps/${app}/tsconfig.build.json`, '--noEmitOnError'],
})
const settings = ['tsconfig.json', 'package-lock.json']

/** In the order in which they need each other. */
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

/** Builds what is not there or not current, the web client beside the server. */
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

/** Is the output missing, older than any of its inputs, or made for development only? */
function isStale({ inputs, output }: Build): boolean {
  const built = statSync(output, { throwIfNoEntry: false })?.mtimeMs
  return built === undefined || isDevelopmentBuild(output) || inputs.some((input) => newest(input) > built)
}

/** The web client's files carry a hash in their names, but not when they are rebuilt at each change. */
function isDevelopmentBuild(output: string): boolean {
  return output === webBuild.output && existsSync(developmentBundle)
}

/** In milliseconds; tests do not count. A deleted file shows in the time of its folder. */
function newest(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined || /\.test\.tsx?$/.test(path)) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}
