/** Where pictures are kept, by key. */
export interface Storage {
  /** Stores a picture under a new key. */
  put(key: string, picture: Buffer, contentType: string): Promise<void>
  /** The picture, or null when there is none under this key. */
  get(key: string): Promise<Buffer | null>
  /** Removes it; a missing one is fine. */
  remove(key: string): Promise<void>
  /** Makes the place ready (bucket or folder). Doing it again changes nothing. */
  prepare(): Promise<void>
  /** Throws with the reason when a picture stored now would be lost. */
  check(): Promise<void>
}
