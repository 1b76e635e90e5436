/** In place of something that is on its way, or could not be had. */
export function Wait({ problem, retry }: { problem?: string | null; retry?: () => void }) {
  if (!problem)
    return (
      <p class="notice" role="status">
        <span class="spinner" role="img" aria-label="Loading" />
      </p>
    )
  return (
    <div class="notice" role="alert">
      <p>{problem}</p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  )
}
