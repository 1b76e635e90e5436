import { setPriority } from 'node:os'
import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'
import { limits } from '../contract.js'
import { exitCodes } from './picture.js'

/** A program that reads a picture from standard input and writes the avatar to standard output. picture.ts runs it with limits. */

// libvips can read many more formats (SVG, PDF, GIF, those of ImageMagick …), but those readers are not safe for untrusted files.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] })
sharp.concurrency(1)
// Messages are more urgent than avatars, so this process has a low priority.
setPriority(10)

const edge = 256

try {
  // Only the pixels are decoded and encoded again, so the avatar contains nothing else of the file.
  const avatar = await sharp(await buffer(process.stdin), {
    limitInputPixels: limits.picture.megapixels * 1_000_000,
    autoOrient: true,
  })
    // autoOrient rotates the pixels by the EXIF orientation, which the avatar does not contain.
    .resize(edge, edge, { fit: 'cover' })
    .webp({ quality: 82 })
    .toBuffer()
  process.stdout.write(avatar)
} catch (error) {
  const { message } = error as Error
  if (message.includes('exceeds pixel limit')) process.exitCode = exitCodes.tooLarge
  // An encoder fails only when it has too little memory.
  else process.exitCode = /memory|webpsave|system error/.test(message) ? exitCodes.tooExpensive : exitCodes.damaged
}
