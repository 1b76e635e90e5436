/**
 * Where files are kept, by key: avatars, and the assets of every version. A key is a name, or a folder and a name:
 * `avatars/NAME`, `assets/NAME`.
 */
export interface Storage {
  /** Stores a file under a key. Storing the same file again changes nothing. */
  put(key: string, content: Buffer, contentType: string): Promise<void>
  /** The file, or null when there is none under this key. */
  get(key: string): Promise<Buffer | null>
  /** Removes it; a missing one is fine. */
  remove(key: string): Promise<void>
  /** Makes the place ready (bucket or folder). Doing it again changes nothing. */
  prepare(): Promise<void>
  /** Throws with the reason when a file stored now would be lost. */
  check(): Promise<void>
}
