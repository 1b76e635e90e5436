import { appendFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root, run } from './commands.js'

/** A release of the chat: its files, committed in a repository of their own. */
export interface Version {
  name: string
  directory: string
}

/**
 * The project as it is, changed by `change`.
 * @param scratch a folder that is removed afterwards.
 */
export async function makeVersion(
  scratch: string,
  name: string,
  change: (directory: string) => void = () => undefined,
): Promise<Version> {
  const directory = join(scratch, name)
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'])
  for (const file of stdout.split('\0').filter((file) => file !== '' && existsSync(join(root, file)))) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    cpSync(join(root, file), join(directory, file))
  }
  change(directory)
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=Chat', '-c', 'user.email=chat@example.com', ...args], { cwd: directory })
  await git('init', '-q')
  await git('add', '-A')
  await git('commit', '-q', '-m', name)
  return { name, directory }
}

/**
 * Three releases in a row: the project as it is; one with an additional column and another look; one whose migration fails.
 * @param scratch a folder that is removed afterwards.
 */
export async function makeVersions(scratch: string): Promise<{ first: Version; second: Version; broken: Version }> {
  const addColumnAndColour = (directory: string) => {
    writeFileSync(
      join(directory, 'migrations/9000_second_version.sql'),
      '-- Up Migration\nalter table messages add column second_version text;\n\n-- Down Migration\nalter table messages drop column second_version;\n',
    )
    appendFileSync(join(directory, 'apps/web/src/styles/base.css'), '\n.second-version { color: rebeccapurple; }\n')
  }

  return {
    first: await makeVersion(scratch, 'first'),
    second: await makeVersion(scratch, 'second', addColumnAndColour),
    broken: await makeVersion(scratch, 'broken', (directory) => {
      addColumnAndColour(directory)
      writeFileSync(
        join(directory, 'migrations/9001_broken.sql'),
        `-- Up Migration\nalter table ${brokenTable} add column nothing text;\n`,
      )
    }),
  }
}

/** The table that the failing migration changes. */
export const brokenTable = 'there_is_no_such_table'
