import { Router } from 'express'
import { ChatError } from '../platform/errors.js'
import type { Assets } from './assets.js'

/** HTTP route: the assets of all releases, for nginx and for browsers that reach the server without nginx. */
export function createAssetRoutes({ assets }: { assets: Assets }): Router {
  return Router().get('/assets/:name', async (req, res) => {
    const asset = await assets.find(req.params.name)
    if (asset === null) throw new ChatError('nothing_here', 'There is nothing here.')
    res.set({ 'cache-control': 'public, max-age=31536000, immutable', 'content-type': asset.contentType })
    res.send(asset.content)
  })
}
