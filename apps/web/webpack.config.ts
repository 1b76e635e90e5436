import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import CompressionPlugin from 'compression-webpack-plugin'
import { NormalModuleReplacementPlugin, type Configuration } from 'webpack'
import { WebpackManifestPlugin } from 'webpack-manifest-plugin'

const here = fileURLToPath(new URL('.', import.meta.url))
const require = createRequire(import.meta.url)
// Parts of the Socket.IO client that stay out of the first load; src/socket-io/left-out.ts says why they can.
const unreached = /\/(polling-xhr(\.node)?|polling-fetch|webtransport|parseuri)\.js$/

/** `webpack -c apps/web/webpack.config.ts`: for production unless told `--mode development`. */
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
      extensions: ['.tsx', '.ts', '.js'],
      extensionAlias: { '.js': ['.ts', '.tsx', '.js'] },
      alias: {
        // The package's front door brings other ways to connect along.
        'socket.io-client$': join(dirname(require.resolve('socket.io-client/package.json')), 'build/esm/manager.js'),
        'engine.io-parser$': join(here, 'src/socket-io/engine-parser.ts'),
        'socket.io-parser$': join(here, 'src/socket-io/socket-parser.ts'),
      },
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
      new NormalModuleReplacementPlugin(unreached, join(here, 'src/socket-io/left-out.ts')),
      new WebpackManifestPlugin({ filter: ({ path }) => !/\.(gz|br|map)$/.test(path) }),
      ...(production
        ? [
            // Less memory makes shorter blocks, each with a code of its own, and a smaller whole.
            new CompressionPlugin({ test: /\.(js|css|svg)$/, compressionOptions: { memLevel: 6 } }),
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
