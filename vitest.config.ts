import { defineConfig } from 'vitest/config'

// With these conditions the apps import each other's sources instead of their builds.
const conditions = ['source', 'module', 'node', 'development|production']
const sources = { resolve: { conditions }, ssr: { resolve: { conditions, externalConditions: ['source', 'node'] } } }
const patience = { testTimeout: 30_000, hookTimeout: 60_000 }

/**
 * `npx vitest run <path>` runs the tests below a path: on the built-in adapters, and browser tests on real services.
 * `npm test` runs all tests, and those of server and worker a second time on real services (tools/test/run.ts).
 */
export default defineConfig({
  test: {
    projects: [
      {
        ...sources,
        test: {
          name: 'apps',
          include: ['apps/**/*.test.{ts,tsx}'],
          globalSetup: 'tools/test/with-embedded-database.ts',
          // The embedded server has a single database, so its test files run one after the other.
          fileParallelism: Boolean(process.env.TEST_DATABASE_URL),
          ...patience,
        },
      },
      { ...sources, test: { name: 'tools', include: ['tools/**/*.test.ts', 'bench/**/*.test.ts'], ...patience } },
      // The first run builds Helm and kubeconform if they are missing, and downloads the API schemas of Kubernetes.
      {
        ...sources,
        test: {
          name: 'chart',
          include: ['test/chart/**/*.test.ts'],
          globalSetup: 'test/chart/with-programs.ts',
          isolate: false,
          ...patience,
        },
      },
      // The first run builds actionlint and act, and fetches gitlab-ci-local.
      {
        ...sources,
        test: {
          name: 'pipeline',
          include: ['test/pipeline/**/*.test.ts'],
          globalSetup: 'test/pipeline/with-programs.ts',
          ...patience,
        },
      },
      {
        ...sources,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: 'tools/test/with-services.ts',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
