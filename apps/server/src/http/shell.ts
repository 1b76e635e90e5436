import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The folder in which webpack puts the browser client. The relative path is the same from src and from dist. */
export const assetsDirectory = fileURLToPath(new URL('../../../web/dist/assets', import.meta.url))

/**
 * Renders an HTML page. It refers to the assets of this build, so pages and assets of two releases can coexist during a
 * rollout. It has no inline script or style, because the content security policy forbids them.
 * @param body trusted HTML: text of users must be escaped with `escapeHtml`.
 */
export async function renderPage({
  title,
  body,
  script = false,
}: {
  title: string
  body: string
  script?: boolean
}): Promise<string> {
  const manifest = JSON.parse(await readFile(`${assetsDirectory}/manifest.json`, 'utf8')) as Record<string, string>
  const asset = (name: string) => {
    const url = manifest[name]
    if (url === undefined) throw new Error(`The asset manifest does not name ${name}`)
    return url
  }
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escapeHtml(title)}</title>
    <link rel="icon" type="image/svg+xml" href="${asset('icon.svg')}">
    <link rel="stylesheet" href="${asset('main.css')}">
${script ? `    <script type="module" src="${asset('main.js')}"></script>\n` : ''}  </head>
  <body>
${body}
  </body>
</html>
`
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Escapes text for HTML, also for attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
