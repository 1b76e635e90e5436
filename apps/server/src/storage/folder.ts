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
 * A folder that stores each file in the root of the storage too. Older releases keep all files in the root. An older
 * release still runs during the rollout, and again after a rollback, and must find the files of this release.
 *
 * The next release may stop writing to the root. It must still read the root and remove files there: older files are
 * only there. Once these are copied into the folders, this function can go. CDN_PREFIX is the URL of the root as long as
 * the server writes to the root, and then the URL of the folder of avatars.
 */
export function createFolderAndRoot(storage: Storage, name: string): Storage {
  const folder = createFolder(storage, name)
  return {
    ...folder,
    async put(key, content, contentType) {
      // The root first: when the second write fails, each release still finds the file in the root.
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
