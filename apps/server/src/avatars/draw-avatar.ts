import { setPriority } from 'node:os'
import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'
import { exitCodes, megapixels } from './picture.js'

/** A program: standard input has a picture, standard output gets the avatar. picture.ts runs it, within limits. */

// Everything else that libvips can read (SVG, PDF, GIF, what ImageMagick knows …) was never meant for strangers' files.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] })
sharp.concurrency(1)
// Whoever talks comes before whoever changes a picture.
setPriority(10)

const edge = 256

try {
  // The pixels are decoded and encoded anew, so nothing else that was in the file gets through.
  const avatar = await sharp(await buffer(process.stdin), {
    limitInputPixels: megapixels * 1_000_000,
    autoOrient: true,
  })
    // autoOrient turns the pixels as the camera's note says, before the note is dropped.
    .resize(edge, edge, { fit: 'cover' })
    .webp({ quality: 82 })
    .toBuffer()
  process.stdout.write(avatar)
} catch (error) {
  const { message } = error as Error
  if (message.includes('exceeds pixel limit')) process.exitCode = exitCodes.tooLarge
  // What an encoder cannot do, it had no memory for.
  else process.exitCode = /memory|webpsave|system error/.test(message) ? exitCodes.tooExpensive : exitCodes.damaged
}
