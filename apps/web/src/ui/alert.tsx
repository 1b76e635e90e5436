/** What went wrong, as a sentence; nothing for an empty one. */
export const Alert = ({ children }: { children: string }) =>
  children === '' ? null : (
    <p class="alert" role="alert">
      {children}
    </p>
  )
