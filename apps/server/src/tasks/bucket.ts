import { createDiskStorage } from '../avatars/disk-storage.js'
import { createMinioStorage } from '../avatars/minio-storage.js'
import type { Task } from '../cli.js'

export const bucket: Task = async ({ config: { storage }, log }) => {
  await (storage.kind === 's3' ? createMinioStorage(storage) : createDiskStorage(storage)).prepare()
  log.info({ storage: storage.kind }, 'the place for pictures is ready')
  return 0
}
