import { execFile } from 'node:child_process'

export interface Result {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program to its end, whatever that is, with a text on its standard input. */
export function run(program: string, args: string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 32 * 2 ** 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
    })
    // Whoever ends without reading it has said why.
    child.stdin?.on('error', () => {}).end(input)
  })
}
