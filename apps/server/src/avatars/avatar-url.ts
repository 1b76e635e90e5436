/** Where browsers find the picture with a key; null for none. */
export function createAvatarUrl(cdnPrefix: string | null): (key: string | null) => string | null {
  return (key) => (key === null ? null : `${cdnPrefix ?? '/avatars'}/${key}`)
}
