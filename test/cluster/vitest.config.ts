import { defineConfig } from 'vitest/config'

/** The tests that need a cluster: `npm run test:cluster`, `npm run test:guide`. Each test needs those before it, so the first failure ends the run. */
export default defineConfig({
  resolve: { conditions: ['source', 'module', 'node', 'development|production'] },
  ssr: {
    resolve: {
      conditions: ['source', 'module', 'node', 'development|production'],
      externalConditions: ['source', 'node'],
    },
  },
  test: {
    name: 'cluster',
    include: ['test/{cluster,guide}/**/*.test.ts'],
    bail: 1,
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 300_000,
  },
})
