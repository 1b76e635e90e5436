/** Shown while something is loading, or with `problem` when that failed. */
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
