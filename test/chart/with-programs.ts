import type { TestProject } from 'vitest/node'
import { findHelm, findKubeconform } from './kubernetes/programs.js'
import { releases, schemaFolder, type Minor } from './kubernetes/schemas.js'

declare module 'vitest' {
  interface ProvidedContext {
    helm: string
    kubeconform: string
    /** Of each release, where its schemas are. */
    schemas: Record<Minor, string>
  }
}

/** What tests of the chart run, built and made before the first of them. */
export default async function setup(project: TestProject) {
  project.provide('helm', await findHelm())
  project.provide('kubeconform', await findKubeconform())
  project.provide(
    'schemas',
    Object.fromEntries(Object.keys(releases).map((minor) => [minor, schemaFolder(minor as Minor)])) as Record<
      Minor,
      string
    >,
  )
}
