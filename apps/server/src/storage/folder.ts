import type { Storage } from './storage.js'

/** The part of a storage whose keys begin with `name/`. */
export function createFolder(storage: Storage, name: string): Storage {
  const keyOf = (key: string) => `${name}/${key}`
  return {
    put: (key, content, contentType) => storage.put(keyOf(key), content, contentType),
    get: (key) => storage.get(keyOf(key)),
    remove: (key) => storage.remove(keyOf(key)),
    prepare: () => storage.prepare(),
    check: () => storage.check(),
  }
}

/**
 * A folder whose files are in the root of the storage too, where releases before folders keep all files. Such a release
 * still runs during the rollout, and again after a rollback, and must find what this one stores.
 *
 * The next release may drop the write to the root. It must still read the root and remove there: files from before the
 * folders are only there. It may drop both, and this function, once they have been copied into the folders. CDN_PREFIX
 * leads to the root until the write is dropped, and to the folder of the avatars from then on.
 */
export function createFolderAndRoot(storage: Storage, name: string): Storage {
  const folder = createFolder(storage, name)
  return {
    ...folder,
    async put(key, content, contentType) {
      // The root first: when the second write fails, the file is like one from before the folders, and every release finds it.
      await storage.put(key, content, contentType)
      await folder.put(key, content, contentType)
    },
    async get(key) {
      return (await folder.get(key)) ?? storage.get(key)
    },
    async remove(key) {
      await Promise.all([folder.remove(key), storage.remove(key)])
    },
  }
}
