import type { TestProject } from 'vitest/node'
import { findHelm, findKubeconform } from './kubernetes/programs.js'
import { releases, schemaFolder, type Minor } from './kubernetes/schemas.js'

declare module 'vitest' {
  interface ProvidedContext {
    helm: string
    kubeconform: string
    /** The folder of the schemas, by release of Kubernetes. */
    schemas: Record<Minor, string>
  }
}

/** Builds the programs and schemas for the tests of the chart, before the first test. */
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
