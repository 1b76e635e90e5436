import { buildGoProgram, findProgram } from '../../../tools/services/programs.js'

/** Helm 3 from PATH, else built once (about a minute on two cores). @throws when Go is missing. */
export async function findHelm(): Promise<string> {
  const program = { name: 'helm', package: 'helm.sh/helm/v3/cmd/helm', version: 'v3.22.0', go: '1.26' }
  return findProgram('helm') ?? (await buildGoProgram(program, 'put helm 3 on PATH'))
}

/** kubeconform from PATH, else built once. @throws when Go is missing. */
export async function findKubeconform(): Promise<string> {
  const program = {
    name: 'kubeconform',
    package: 'github.com/yannh/kubeconform/cmd/kubeconform',
    version: 'v0.8.0',
    go: '1.26',
  }
  return findProgram('kubeconform') ?? (await buildGoProgram(program, 'put kubeconform on PATH'))
}
