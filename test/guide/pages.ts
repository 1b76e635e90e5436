import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { blocksIn } from '../../tools/test/markdown.js'

/** A block of shell commands on a page. */
export interface Step {
  text: string
  /** The error with which the block ends, as shown on the page. */
  error?: string
  /** False if the page says "Not run here" after the block. */
  isRun: boolean
}

/** The shell blocks of a page, in their order. */
export function stepsOf(page: string): Step[] {
  const blocks = blocksIn(page)
  return blocks.flatMap(({ language, text }, index) => {
    const output = blocks[index + 1]?.language === 'text' ? blocks[index + 1]?.text : ''
    const isRun = !page.includes(`${text}\`\`\`\n\n*Not run here`)
    return /^(ba)?sh$/.test(language) ? [{ text, error: /^Error: (.+)$/m.exec(output ?? '')?.[1], isRun }] : []
  })
}

/** The sentence with which the chart refuses the deploy; undefined if the error comes from a later step. */
export function refusalIn({ error }: { error?: string }): string | undefined {
  return /(?:execution error at \(chat\/[^)]+\): |render chart: … )(.+)$/.exec(error ?? '')?.[1]
}

/** The arguments of each `werf converge` or `helm upgrade` in a block, as a new shell passes them. The last command ends with the error. */
export function deploysIn(
  { text, error }: Step,
  env: Record<string, string>,
): { env: string; args: string[]; error?: string }[] {
  const commands = text.match(/^(?:\w+=\S* )?(?:werf converge|helm upgrade) (?:.*\\\n)*[^|\n]*/gm) ?? []
  return commands.map((command, index) => {
    const script = `record() { printf '%s\\0' "$WERF_ENV" "$@"; }; werf() { record "$@"; }; helm() { record "$@"; }; ${command}`
    const [name = '', , ...args] = execFileSync('bash', ['-c', script], { env, encoding: 'utf8' })
      .split('\0')
      .slice(0, -1)
    return { env: name, args, ...(index === commands.length - 1 && { error }) }
  })
}

/** Translates the flags of `werf converge` for Helm. @throws if Helm has no such flag. */
export function forHelm(args: string[]): { env?: string; secretValues: string[]; flags: string[] } {
  const text = { type: 'string', multiple: true } as const
  const forWerf = {
    repo: text,
    config: text,
    dev: { type: 'boolean' },
    follow: { type: 'boolean' },
    'require-built-images': { type: 'boolean' },
  } as const
  const same = { values: text, set: text, 'set-string': text, 'set-json': text } as const
  const { tokens, values } = parseArgs({
    args,
    tokens: true,
    options: { ...forWerf, ...same, env: text, 'secret-values': text },
  })
  const flags = tokens.flatMap((token) =>
    token.kind === 'option' && token.name in same ? [token.rawName, token.value ?? ''] : [],
  )
  return { env: values.env?.at(-1), secretValues: values['secret-values'] ?? [], flags }
}
