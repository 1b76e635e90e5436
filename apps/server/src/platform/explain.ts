/** What to tell the person in front of the terminal: one sentence for what they can mend, the stack for the rest. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as { code?: string; port?: number }
  if (error.name === 'ConfigError') return error.message
  if (code === 'EADDRINUSE') return `Port ${port} is in use by another program. Set PORT or METRICS_PORT to a free one.`
  if (code === 'EACCES' && port !== undefined) return `Port ${port} needs more rights. Set PORT to one above 1023.`
  return error.stack ?? error.message
}
