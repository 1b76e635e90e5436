/** For development only: loads the page again when webpack has built a new bundle. */
export async function reloadOnChange(bundle: string): Promise<never> {
  let first: string | null | undefined
  for (;;) {
    const version = await fetch(bundle, { method: 'HEAD', cache: 'no-store' }).then(
      (answer) => answer.headers.get('etag'),
      () => null,
    )
    first ??= version
    // No answer: the server is restarting.
    if (version !== null && version !== first) location.reload()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
