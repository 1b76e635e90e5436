import { describe, expect, it } from 'vitest'
import { isScalar, parse, parseDocument, visit } from 'yaml'
import { files as tracked } from '../../tools/test/repository.js'
import { images, project, read, workflows } from './pipelines.js'

const pipelines = ['.gitlab-ci.yml', ...workflows]
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** Every text in a file, without comments. An anchored text counts once. */
function textsIn(file: string): { key: string; text: string }[] {
  const texts: { key: string; text: string }[] = []
  visit(parseDocument(read(file), { customTags: [{ tag: '!reference', collection: 'seq' }] }), {
    Scalar: (place, node, path) => {
      const pair = path.findLast((one) => 'key' in one)
      if (place !== 'key' && typeof node.value === 'string')
        texts.push({ key: isScalar(pair?.key) ? String(pair.key.value) : '', text: node.value })
    },
  })
  return texts
}

/** The commands of a file. */
function commandsIn(file: string): string[] {
  return textsIn(file)
    .filter(({ key }) => ['script', 'before_script', 'after_script', 'run'].includes(key))
    .flatMap(({ text }) => text.split('\n').filter((line) => line !== '' && !line.startsWith('${{')))
}

describe('the pipelines of GitLab and GitHub', () => {
  it('repeat no text', () => {
    const onGithub = workflows.flatMap(commandsIn)
    expect(onGithub).toEqual([...new Set(onGithub)])
    const onGitlab = commandsIn('.gitlab-ci.yml').filter(
      (command) => command !== 'default' && command !== 'before_script',
    )
    expect(onGitlab).toEqual([...new Set(onGitlab)])
  })

  it('run the same werf commands', () => {
    const asked = (files: string[]) => {
      const all = files.flatMap(commandsIn).filter((command) => command.startsWith('werf '))
      return all.map((command) => command.replace(/\$(CI_PIPELINE_IID|GITHUB_RUN_ID)/, '$RUN')).sort()
    }
    expect(asked(['.gitlab-ci.yml'])).toEqual(asked(workflows))
  })

  it.each(pipelines)('name only existing npm scripts, files and images in %s', (file) => {
    const texts = textsIn(file).map(({ text }) => text)
    const called = texts.flatMap((text) =>
      [...text.matchAll(/\bnpm (?:run )?(?:-\S+ )*([\w:-]+)/g)].map(([, script = '']) => script),
    )
    expect(called.filter((script) => scripts[script] === undefined)).toEqual([])
    const paths = /(?<![\w/.-])(?:\.\/)?((?:[\w.-]+\/)*\.?[\w-][\w.-]*\.(?:ya?ml|json|js|ts|sh))\b/g
    const files = texts.flatMap((text) => [...text.matchAll(paths)].map(([, path = '']) => path))
    // The line before writes the report.
    expect(files.filter((path) => !tracked.includes(path) && path !== '.werf-build-report.json')).toEqual([])
    const run = texts.flatMap((text) =>
      [...text.matchAll(/werf (?:kube-run|run|build) (\w[\w-]*)/g)].map(([, image = '']) => image),
    )
    expect(run.filter((image) => !images.includes(image))).toEqual([])
  })

  it('run the linters and the unit tests', () => {
    const [test = ''] = commandsIn('.gitlab-ci.yml').filter((command) => command.includes('kube-run'))
    expect(scripts[/npm run (pre\w+)/.exec(test)?.[1] ?? '']).toContain('npm run lint')
    expect(scripts[/npm run (test:\w+)/.exec(test)?.[1] ?? '']).toContain('vitest')
  })

  it('name releases after the project, as werf does by default', () => {
    const { variables } = parse(read('.gitlab-ci.yml'), { customTags: [{ tag: '!reference', collection: 'seq' }] }) as {
      variables: { PROJECT: string }
    }
    const { env } = parse(read('.github/workflows/werf.yml')) as { env: { PROJECT: string } }
    expect([variables.PROJECT, env.PROJECT]).toEqual([project, project])
  })

  it('deploy only to environments that the chart knows', () => {
    const { environments } = parse(read('.helm/values.yaml')) as { environments: string[] }
    const onGitlab = read('.gitlab-ci.yml').matchAll(/environment: \{?\s*name: ([a-z]+)/g)
    const named = [...onGitlab, ...read('.github/workflows/pipeline.yml').matchAll(/^ {6}env: ([a-z]+)/gm)]
    expect(new Set(named.map(([, name]) => name))).toEqual(new Set(['review', 'staging', 'acceptance', 'production']))
    for (const [, name = ''] of named) expect(environments).toContain(name)
  })

  it('use no host below that of production, for which a browser may require https', () => {
    const urls = ['.gitlab-ci.yml', '.github/workflows/pipeline.yml']
      .flatMap(textsIn)
      .filter(({ key }) => key === 'url')
    const hosts = urls.map(({ text }) =>
      text.replace(/\$DOMAIN|\$\{\{ vars\.DOMAIN \}\}/, 'chat.example.com').replace(/^https?:\/\//, ''),
    )
    expect(hosts.filter((host) => host === 'chat.example.com')).toHaveLength(2)
    expect(hosts.filter((host) => host.endsWith('-chat.example.com'))).toHaveLength(hosts.length - 2)
  })

  it('show the command for a runner with Docker and without a cluster', () => {
    for (const file of ['.gitlab-ci.yml', '.github/workflows/pipeline.yml'])
      expect(read(file)).toMatch(
        /# .*werf run tests --use-build-report --build-report-path .werf-build-report.json -- sh -ec/,
      )
  })
})
