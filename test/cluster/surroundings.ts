/** The settings of the cluster for the tests. */
export interface Surroundings {
  /** Registry the cluster pulls from, host and port. */
  registry: string
  /** Address of the ingress controller, host or host and port. */
  ingress: string
  /** The chat's host name in a namespace. */
  hostIn(namespace: string): string
}

/** @throws with the names of all missing variables. */
export function readSurroundings(env: NodeJS.ProcessEnv): Surroundings {
  const { KUBECONFIG, REGISTRY, INGRESS, INGRESS_HOST } = env
  if (!KUBECONFIG || !REGISTRY || !INGRESS) {
    throw new Error(
      'These tests need a cluster: set KUBECONFIG, REGISTRY (host:port of a registry that the cluster pulls from over plain HTTP) and INGRESS (address of its ingress controller), and have kubectl, helm and buildah or docker in PATH.',
    )
  }
  return {
    registry: REGISTRY,
    ingress: INGRESS,
    // Without a domain the host is the name of the Service, which works inside the cluster too.
    hostIn: (namespace) => INGRESS_HOST?.replace('*', namespace) ?? `server.${namespace}.svc`,
  }
}
