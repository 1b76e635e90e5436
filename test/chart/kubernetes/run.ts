import { execFile } from 'node:child_process'

export interface Result {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program with a text on its standard input, and resolves when it ends, with any exit code. */
export function run(program: string, args: string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 32 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
    })
    // A program that ends before it reads the text reports the reason itself.
    child.stdin?.on('error', () => {}).end(input)
  })
}
