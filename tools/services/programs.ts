import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const isRoot = process.getuid?.() === 0

/** Folders with programs. Some folders in which Debian installs servers are not in a user's PATH. */
const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/usr/lib/rabbitmq/bin']

/** The path of the first of these programs that is installed. */
export function findProgram(...names: string[]): string | undefined {
  return names.flatMap((name) => places.map((place) => join(place, name))).find(isExecutable)
}

/** The path of a PostgreSQL server program, of the newest version. Debian does not install these programs in PATH. */
export function findPostgres(name: 'initdb' | 'postgres'): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin', name)).find(isExecutable) ?? findProgram(name)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The ids of a system user if this process is root; undefined: do not change the user. */
export function idsOf(user: string | undefined): { uid: number; gid: number } | undefined {
  if (!isRoot || user === undefined) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** Installs Debian packages. @throws with the command to run if this process has no permission. */
export async function installPackages(packages: string[]) {
  const command = `apt-get update && apt-get install --no-install-recommends ${packages.join(' ')}`
  if (findProgram('apt-get') === undefined) {
    throw new Error(
      `These packages are missing, and there is no apt-get to install them: ${packages.join(', ')}. Install them, start Docker, or set the variables of the services (see docs/reference/variables.md).`,
    )
  }
  const become = isRoot ? [] : ['sudo', '-n']
  if (!isRoot && !(await succeeds('sudo', ['-n', 'true']))) {
    throw new Error(
      `These packages are missing, and installing them needs root. Run this once:\n  sudo sh -c '${command}'`,
    )
  }
  process.stdout.write(`Installing ${packages.join(', ')}.\n`)
  const script = fileURLToPath(new URL('./install.sh', import.meta.url))
  const [program = '', ...args] = [...become, 'sh', script, ...packages]
  if (!(await succeeds(program, args, 'inherit')))
    throw new Error(`Installing packages failed. Run this command by hand:\n  ${command}`)
}

/** A program that Go builds from a module: its package, and the version of Go that it needs. */
export interface GoProgram {
  name: string
  package: string
  version: string
  go: string
}

const versitygw: GoProgram = {
  name: 'versitygw',
  package: 'github.com/versity/versitygw/cmd/versitygw',
  version: 'v1.8.0',
  go: '1.25',
}

/** The folder for programs that the tests build or download; it is outside the checkout. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'chat')

/** Builds the S3 server, and returns its path. @throws if Go is missing or too old. */
export function buildVersitygw(): Promise<string> {
  return buildGoProgram(versitygw, 'start Docker, or set TEST_S3_ENDPOINT')
}

/** Builds a program once into the cache, and returns its path. @throws if Go is missing or too old, with an alternative. */
export async function buildGoProgram(
  { name, package: path, version, go: wanted }: GoProgram,
  instead: string,
): Promise<string> {
  const folder = join(cache, `${name}-${version}`)
  const binary = join(folder, name)
  if (isExecutable(binary)) return binary

  const go = findGo(
    wanted,
    `The tests need ${name}, and building it needs Go ${wanted} or newer. Install Go from https://go.dev/dl/, or ${instead}.`,
  )
  process.stdout.write(`Building ${name} ${version}, once.\n`)
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '' }
  if (!(await succeeds(go, ['install', `${path}@${version}`], 'inherit', env)))
    throw new Error(`Building ${name} failed.`)
  return binary
}

/** Downloads a Go module once, and returns the folder with its files. @throws if Go is missing or too old, or the module does not exist. */
export function goModule(path: string, version: string, advice: string): string {
  const go = findGo('1.21', advice)
  const output = execFileSync(go, ['mod', 'download', '-json', `${path}@${version}`], {
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '' },
  })
  return (JSON.parse(output) as { Dir: string }).Dir
}

/** Go itself. @throws with the advice when it is missing or older than wanted. */
export function findGo(wanted: string, advice: string): string {
  const go = findProgram('go') ?? (isExecutable('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : undefined)
  if (go === undefined) throw new Error(`Go is missing. ${advice}`)
  const found = execFileSync(go, ['env', 'GOVERSION'], { encoding: 'utf8' }).trim()
  if (isOlder(found.replace(/^go/, ''), wanted)) throw new Error(`Go ${found} is too old. ${advice}`)
  return go
}

function isOlder(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => parseInt(part, 10))
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number)
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor)
}

/** Runs a command, and returns whether its exit code is 0. */
export async function succeeds(
  program: string,
  args: string[],
  output: 'ignore' | 'inherit' = 'ignore',
  env = process.env,
): Promise<boolean> {
  const child = spawn(program, args, { env, stdio: ['ignore', output, output] })
  const [code] = (await once(child, 'exit').catch(() => [null])) as [number | null]
  return code === 0
}
