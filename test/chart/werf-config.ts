import { parseAllDocuments } from 'yaml'
import { files, read } from '../../tools/test/repository.js'

export { files, read, root } from '../../tools/test/repository.js'

export interface Meta {
  configVersion: number
  project: string
}

export interface Image {
  image: string
  final?: boolean
  from?: string
  git?: {
    add: string
    to: string
    includePaths?: string | string[]
    excludePaths?: string | string[]
    stageDependencies?: Record<string, string | string[]>
  }[]
  shell?: Record<string, string | string[]>
  import?: {
    from: string
    stage?: string
    add: string
    to: string
    before?: string
    after?: string
    includePaths?: string[]
    excludePaths?: string[]
  }[]
  dependencies?: { image: string }[]
  mount?: Record<string, string>[]
  imageSpec?: { config?: Record<string, unknown> }
  dockerfile?: string
  context?: string
  target?: string
}

/** A werf.yaml as werf reads it: what it is about, and its images. @throws when it is no YAML or has a key twice. */
export function readWerfConfig(file: string): { meta: Meta; images: Image[] } {
  const documents = parseAllDocuments(read(file), { version: '1.1' })
  const [meta, ...images] = documents.map((document) => {
    for (const error of [...document.errors, ...document.warnings]) throw error
    return document.toJS() as unknown
  })
  return { meta: meta as Meta, images: images as Image[] }
}

/** A list that may be written as a single text. */
export function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : [value].flat()
}

/** Is a file meant by a pattern of werf or Docker? A folder means all that is in it. */
export function isMeant(file: string, pattern: string): boolean {
  const wanted = pattern.replace(/^(\.?\/)+|\/+$/g, '')
  if (wanted === '' || wanted === '.') return true
  const source = wanted.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : `\\${part}`
  })
  return new RegExp(`^${source}(?:/.*)?$`).test(file)
}

/** Files of a folder, as seen from there; a file stands for itself. */
export function filesBelow(folder: string): string[] {
  const name = folder.replace(/^\/+|\/+$/g, '')
  const own = files.filter((file) => isMeant(file, name))
  return own.map((file) => (name === '' || file === name ? file : file.slice(name.length + 1)))
}

/** Does a path exist in a checkout after its builds? Their results are not looked for, only the folders they go into. */
export function isInCheckout(path: string): boolean {
  const source = path.replace(/(^|\/)(dist|node_modules)(\/.*)?$/, '')
  return files.some((file) => isMeant(file, source))
}

export interface Stage {
  name: string
  from: string
  /** Instructions below FROM. */
  instructions: { name: string; text: string }[]
}

/** The stages of a Dockerfile. */
export function readDockerfile(file: string): Stage[] {
  const lines = read(file)
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
  const stages: Stage[] = []
  for (const line of lines.filter((line) => line !== '')) {
    const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? []
    if (name.toUpperCase() === 'FROM') {
      const [from = '', , alias = String(stages.length)] = text.replace(/--\S+\s+/g, '').split(/\s+/)
      stages.push({ name: alias, from, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push({ name: name.toUpperCase(), text })
    }
  }
  return stages
}

/** What a COPY copies, and from where: another stage or image, or with no `from` the checkout. */
export function copiesOf({ instructions }: Stage): { from?: string; sources: string[] }[] {
  return instructions.flatMap(({ name, text }) => {
    const mounts = [...text.matchAll(/--mount=type=bind\S*/g)].map(([mount]) => ({
      from: /from=([^,\s]+)/.exec(mount)?.[1],
      sources: [/(?:source|src)=([^,\s]+)/.exec(mount)?.[1] ?? '.'],
    }))
    if (name !== 'COPY' && name !== 'ADD') return mounts
    const words = text.split(/\s+/)
    return [
      {
        from: words.find((word) => word.startsWith('--from='))?.replace('--from=', ''),
        sources: words.filter((word) => !word.startsWith('--')).slice(0, -1),
      },
    ]
  })
}

/** Does .dockerignore keep a file from the builder? The last pattern that means it decides. */
export function isIgnored(file: string): boolean {
  const patterns = read('.dockerignore')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const last = patterns.findLast((pattern) => isMeant(file, pattern.replace(/^!/, '')))
  return last !== undefined && !last.startsWith('!')
}
