import { Router } from 'express'
import { ChatError } from '../platform/errors.js'
import type { Assets } from './assets.js'

/** Where nginx asks for what its own version does not have. */
export function createAssetRoutes({ assets }: { assets: Assets }): Router {
  return Router().get('/assets/:name', async (req, res) => {
    const asset = await assets.find(req.params.name)
    if (asset === null) throw new ChatError('not_found', 'There is nothing here.')
    res.set({ 'cache-control': 'public, max-age=31536000, immutable', 'content-type': asset.contentType })
    res.send(asset.content)
  })
}
