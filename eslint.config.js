import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

export default defineConfig(
  globalIgnores(['**/dist/', '**/node_modules/', '.data/', '.cache/']),
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Express awaits async handlers; event emitters are given functions that catch.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/require-await': 'off',
      // Some code rejects with the value that a library gave to a callback, even if it is not an Error.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowNullish: true }],
      // In each process only config.ts reads the environment.
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'Read it in config.ts.' }],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['**/dist/**'], message: 'Import the source, not the build.' },
            { regex: '\\w/queries', message: 'Call the rules of another feature, not its queries.' },
          ],
        },
      ],
    },
  },
  // These files run on every version of Node.js, before packages are installed.
  {
    files: ['tools/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', URL: 'readonly' } },
  },
  {
    files: [
      'apps/*/src/**/main.ts',
      'apps/web/src/main.tsx',
      'apps/server/src/cli.ts',
      '**/*.test.ts',
      '**/test/**',
      'tools/**',
      'bench/**',
      '*.config.*',
      'apps/web/webpack.config.*',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['**/*.test.ts'], rules: { '@typescript-eslint/unbound-method': 'off' } },
  // The browser shares the contract with the server, and nothing else.
  {
    files: ['apps/web/src/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ regex: 'server/(?!contract$)', message: 'Only the contract.' }] },
      ],
    },
  },
  // Who may import less than that: in place of the patterns above, which these include.
  ...[
    {
      files: ['apps/server/src/contract.ts'],
      regex: '',
      message: 'The browser loads this file, so it imports nothing.',
    },
    {
      files: ['apps/server/src/platform/**'],
      regex: '^\\.\\./(?!contract\\.js$)',
      message: 'This folder knows nothing of the chat but its contract.',
    },
    {
      files: ['apps/web/src/ui/**'],
      regex: '^(\\.\\./|@chat/)',
      message: 'This folder knows nothing of the chat.',
    },
    { files: ['apps/web/src/chat/**'], regex: '^\\.\\./.+/', message: 'The state of the chat knows no views.' },
  ].map(({ files, ...pattern }) => ({
    files,
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [pattern] }] },
  })),
)
