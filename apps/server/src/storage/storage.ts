/**
 * Stores files by key: avatars, and the assets of every version. A key is a name, or a folder and a name:
 * `avatars/NAME`, `assets/NAME`.
 */
export interface Storage {
  /** Stores a file under a key. Storing the same file again changes nothing. */
  put(key: string, content: Buffer, contentType: string): Promise<void>
  /** The file, or null when it is missing. */
  get(key: string): Promise<Buffer | null>
  /** Removes a file. Does nothing when it is missing. */
  remove(key: string): Promise<void>
  /** Creates the bucket or directory. Does nothing when it exists. */
  prepare(): Promise<void>
  /** Throws with the reason when files cannot be stored. */
  check(): Promise<void>
}
