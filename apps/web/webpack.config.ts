import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import CompressionPlugin from 'compression-webpack-plugin'
import type { Configuration } from 'webpack'
import { WebpackManifestPlugin } from 'webpack-manifest-plugin'

const here = fileURLToPath(new URL('.', import.meta.url))

/** `webpack -c apps/web/webpack.config.ts` builds for production, with `--mode development` for development. */
const configure = (_env: unknown, { mode = 'production' }: { mode?: 'production' | 'development' }): Configuration => {
  const production = mode === 'production'
  return {
    mode,
    context: here,
    entry: { main: './src/main.tsx' },
    target: 'browserslist:chrome >= 123, firefox >= 121, safari >= 17.5',
    devtool: production ? false : 'source-map',
    output: {
      path: join(here, 'dist/assets'),
      publicPath: '/assets/',
      filename: production ? '[name].[contenthash].js' : '[name].js',
      cssFilename: production ? '[name].[contenthash].css' : '[name].css',
      assetModuleFilename: '[name].[contenthash][ext]',
      clean: true,
    },
    resolve: {
      // The server's contract comes from its source, as in the other apps.
      conditionNames: ['source', '...'],
      extensions: ['.tsx', '.ts', '.js'],
      extensionAlias: { '.js': ['.ts', '.tsx', '.js'] },
    },
    module: {
      rules: [
        {
          test: /\.tsx?$/,
          loader: 'ts-loader',
          options: { transpileOnly: true, configFile: join(here, 'tsconfig.json'), compilerOptions: { noEmit: false } },
        },
      ],
    },
    plugins: [
      new WebpackManifestPlugin({ filter: ({ path }) => !/\.(gz|br|map)$/.test(path) }),
      ...(production
        ? [
            // Less memory means shorter blocks, each with its own Huffman code, and a smaller file.
            new CompressionPlugin({ test: /\.(js|css|svg)$/, compressionOptions: { memLevel: 7 } }),
            new CompressionPlugin({
              test: /\.(js|css|svg)$/,
              algorithm: 'brotliCompress',
              filename: '[path][base].br',
            }),
          ]
        : []),
    ],
    cache: {
      type: 'filesystem',
      cacheDirectory: join(here, '.cache'),
      buildDependencies: { config: [fileURLToPath(import.meta.url)] },
    },
    performance: { hints: false },
    stats: 'errors-warnings',
  }
}

export default configure
