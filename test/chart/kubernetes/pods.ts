/** The parts of a pod that the tests read, as Kubernetes names them. */
export interface Pod {
  spec: PodSpec
}

export interface PodSpec {
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  terminationGracePeriodSeconds?: number
  securityContext?: { runAsUser?: number }
  containers: Container[]
  initContainers?: Container[]
  ephemeralContainers?: Container[]
  volumes?: ({ name: string } & Record<string, unknown>)[]
}

export interface Container {
  name: string
  image: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: Record<string, unknown> }[]
  envFrom?: unknown[]
  resources?: { requests?: Record<string, unknown>; limits?: Record<string, unknown> }
  ports?: { name?: string; containerPort: number; hostPort?: number; protocol?: string }[]
  restartPolicy?: string
  livenessProbe?: Action
  readinessProbe?: Action
  startupProbe?: Action
  lifecycle?: { postStart?: Action; preStop?: Action }
  securityContext?: { runAsUser?: number; readOnlyRootFilesystem?: boolean }
}

interface Action {
  httpGet?: { host?: string; port: number | string; path?: string }
  tcpSocket?: { host?: string; port: number | string }
  exec?: { command: string[] }
}

/** Every container of a pod, whenever it runs. */
export function containersOf(spec: PodSpec): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}
