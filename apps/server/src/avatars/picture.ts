import sharp from 'sharp'
import { ChatError } from '../platform/errors.js'
import { createGate } from '../platform/gate.js'

// Everything else that libvips can read (SVG, PDF, GIF, what ImageMagick knows …) was never meant for strangers' files.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] })
// No picture comes twice.
sharp.cache(false)
sharp.concurrency(1)

// Node decodes pictures on the four threads that DNS, files and passwords need too.
const gate = createGate(1)

const edge = 256
const megapixels = 40

/**
 * Makes an avatar of a JPEG, PNG or WebP: a square WebP without anything the camera wrote down. The pixels are decoded
 * and encoded anew, so nothing else that was in the file gets through.
 * @throws ChatError `unsupported_media` for what is none of the three or damaged, `too_large` beyond 40 megapixels.
 */
export async function encodeAvatar(body: Buffer): Promise<Buffer> {
  try {
    return await gate(() =>
      // autoOrient turns the pixels as the camera's note says, before the note is dropped.
      sharp(body, { limitInputPixels: megapixels * 1_000_000, autoOrient: true })
        .resize(edge, edge, { fit: 'cover' })
        .webp({ quality: 82 })
        .timeout({ seconds: 10 })
        .toBuffer(),
    )
  } catch (error) {
    if (error instanceof Error && error.message.includes('exceeds pixel limit')) {
      throw new ChatError('too_large', `A picture can have at most ${megapixels} megapixels.`)
    }
    throw new ChatError('unsupported_media', 'This is not a JPEG, PNG or WebP picture, or it is damaged.')
  }
}
