/** A reporter of vitest for run.ts: writes the result of each test, as `Results`, to the file named by RESULTS_FILE. */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

export interface Results {
  passed: string[]
  skipped: string[]
  failed: { test: string; reason: string }[]
}

type SomeError = Readonly<{ message: string; stack?: string }>

export default class ResultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SomeError[]) {
    const results: Results = { passed: [], skipped: [], failed: [] }
    const fail = (test: string, errors: readonly SomeError[] = []) =>
      results.failed.push({ test, reason: errors.map(describe).join('\n') })

    for (const module of modules) {
      const path = relative(process.cwd(), module.moduleId)
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result()
        const name = `${path} > ${test.fullName}`
        if (state === 'failed') fail(name, errors)
        else results[state === 'passed' ? 'passed' : 'skipped'].push(name)
      }
      // Errors of files that could not be loaded, and of hooks.
      for (const scope of [module, ...module.children.allSuites()]) {
        if (scope.errors().length > 0) fail('fullName' in scope ? `${path} > ${scope.fullName}` : path, scope.errors())
      }
    }
    // Errors outside every test: then vitest exits with 1, even if all tests pass.
    for (const error of unhandledErrors) fail('outside of a test', [error])
    writeFileSync(process.env.RESULTS_FILE!, JSON.stringify(results))
  }
}

const describe = ({ message, stack }: SomeError) =>
  (stack?.includes(message) ? stack : `${message}\n${stack ?? ''}`).split('\n').slice(0, 6).join('\n')
