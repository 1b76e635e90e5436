import { crc32, deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it, vi } from 'vitest'
import { encodeAvatar } from './picture.js'

// Each avatar is drawn in a separate process, which starts slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

describe('making an avatar', () => {
  it.each(['jpeg', 'png', 'webp'] as const)('turns a %s into a square WebP', async (format) => {
    const avatar = await encodeAvatar(await plain(640, 480).toFormat(format).toBuffer())
    expect(await sharp(avatar).metadata()).toMatchObject({ format: 'webp', width: 256, height: 256 })
    expect(avatar.length).toBeLessThan(20_000)
  })

  it('removes the EXIF data of the camera, such as the location', async () => {
    const photo = await plain(64, 64)
      .jpeg()
      .withExif({
        IFD0: { Copyright: 'Ann Example' },
        IFD3: {
          GPSLatitudeRef: 'N',
          GPSLatitude: '52/1 31/1 0/1',
          GPSLongitudeRef: 'E',
          GPSLongitude: '13/1 24/1 0/1',
        },
      })
      .toBuffer()
    expect((await sharp(photo).metadata()).exif).toBeDefined()
    expect(photo.includes('Ann Example')).toBe(true)

    const avatar = await encodeAvatar(photo)
    expect((await sharp(avatar).metadata()).exif).toBeUndefined()
    expect(avatar.includes('Ann Example')).toBe(false)
    expect(avatar.includes('EXIF')).toBe(false)
  })

  it('rotates a picture by its EXIF orientation', async () => {
    // The left half is black, the right half is white, and the orientation is "rotate by 180°".
    const left = await sharp({ create: { width: 32, height: 64, channels: 3, background: 'black' } })
      .png()
      .toBuffer()
    const photo = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'white' } })
      .composite([{ input: left, left: 0, top: 0 }])
      .jpeg()
      .withExif({ IFD0: { Orientation: '3' } })
      .withMetadata({ orientation: 3 })
      .toBuffer()
    const { data } = await sharp(await encodeAvatar(photo))
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const middleRow = 128 * 256
    expect(data[middleRow + 20]).toBeGreaterThan(200)
    expect(data[middleRow + 236]).toBeLessThan(50)
  })

  it('removes content that follows the picture in the file', async () => {
    const picture = await plain(64, 64).jpeg().toBuffer()
    const polyglot = Buffer.concat([picture, Buffer.from('<script>alert(1)</script>')])
    const avatar = await encodeAvatar(polyglot)
    expect(avatar.subarray(8, 12).toString()).toBe('WEBP')
    expect(avatar.includes('script')).toBe(false)
  })

  const gif = Buffer.from('R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')
  it.each([
    [
      'an SVG',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'),
    ],
    ['a GIF', gif],
    ['a GIF that is a script as well', Buffer.concat([gif, Buffer.from('/*'), gif, Buffer.from('*/=1;alert(1)')])],
    ['a TIFF', Buffer.from('49492a0008000000000000000000', 'hex')],
    ['a PDF', Buffer.from('%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>')],
    ['text', Buffer.from('hello')],
    ['nothing', Buffer.alloc(0)],
    ['the first bytes of a PNG', Buffer.from('89504e470d0a1a0a', 'hex')],
  ])('refuses %s', async (_what, body) => {
    await expect(encodeAvatar(body)).rejects.toMatchObject({ code: 'unsupported_media' })
  })

  it.each(['jpeg', 'png', 'webp'] as const)('refuses a truncated %s', async (format) => {
    const whole = await sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: 'white',
        noise: { type: 'gaussian', mean: 128, sigma: 30 },
      },
    })
      .toFormat(format)
      .toBuffer()
    await expect(encodeAvatar(whole)).resolves.toBeInstanceOf(Buffer)
    await expect(encodeAvatar(whole.subarray(0, whole.length / 2))).rejects.toMatchObject({ code: 'unsupported_media' })
  })

  it('refuses a small file with a huge picture before it is decompressed', async () => {
    const bomb = png(30_000, 30_000)
    expect(bomb.length).toBeLessThan(100_000)
    const before = process.memoryUsage().rss
    await expect(encodeAvatar(bomb)).rejects.toMatchObject({ code: 'too_large' })
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
  })

  it('refuses a small picture with metadata that would decompress into gigabytes', async () => {
    const note = chunk(
      'zTXt',
      Buffer.concat([Buffer.from('a\0\0'), deflateSync(Buffer.alloc(7_900_000, 'a'), { level: 9 })]),
    )
    const bomb = png(100, 100, Array<Buffer>(300).fill(note))
    expect(bomb.length).toBeLessThan(5 * 1024 * 1024)
    const before = process.memoryUsage().rss
    await expect(encodeAvatar(bomb)).rejects.toMatchObject({ code: 'too_large' })
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
  })

  it.each([
    [
      'a progressive JPEG',
      (picture: Sharp) => picture.flatten().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
    ],
    [
      'a rotated interlaced PNG',
      (picture: Sharp) => picture.withMetadata({ orientation: 6 }).png({ progressive: true }),
    ],
    ['a PNG with 16 bits per channel', (picture: Sharp) => picture.toColourspace('rgb16').png()],
    ['a WebP', (picture: Sharp) => picture.webp({ lossless: true, effort: 0 })],
  ])('accepts %s of 24 megapixels', async (_what, encode) => {
    await expect(encodeAvatar(await encode(translucent(4_800, 5_000)).toBuffer())).resolves.toBeInstanceOf(Buffer)
  })

  it('refuses the format that takes most memory per pixel, and says what to choose instead', async () => {
    const heavy = await translucent(4_800, 5_000).toColourspace('rgb16').png({ progressive: true }).toBuffer()
    await expect(encodeAvatar(heavy)).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('not interlaced') as string,
    })
  })

  it('stops drawing when the client has gone, and draws the next one', async () => {
    const picture = await plain(640, 480).png().toBuffer()
    const gone = new AbortController()
    const [first, second, third] = [
      encodeAvatar(picture, gone.signal),
      encodeAvatar(picture, gone.signal),
      encodeAvatar(picture),
    ]
    gone.abort()
    await expect(first).rejects.toMatchObject({ code: 'invalid' })
    await expect(second).rejects.toMatchObject({ code: 'invalid' })
    await expect(third).resolves.toBeInstanceOf(Buffer)
  })
})

function plain(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } })
}

function translucent(width: number, height: number) {
  return sharp({ create: { width, height, channels: 4, background: { r: 0, g: 128, b: 128, alpha: 0.5 } } })
}

/** A grey PNG of any size with equal pixels. The file of a very large one contains only its first rows. */
function png(width: number, height: number, notes: Buffer[] = []): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.writeUInt8(8, 8)
  const rows = deflateSync(Buffer.alloc((width + 1) * Math.min(height, 1_000)))
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    ...notes,
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(content))
  return Buffer.concat([length, content, sum])
}
