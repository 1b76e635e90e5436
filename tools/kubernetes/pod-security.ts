/**
 * Pod Security Standards, level "restricted" (which includes "baseline"), as kubernetes.io/docs/concepts/security/pod-security-standards
 * has them for Linux pods: what the API server's admission refuses in a namespace labelled so.
 */

export interface Pod {
  metadata?: { annotations?: Record<string, string> }
  spec: PodSpec
}

export interface PodSpec {
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  terminationGracePeriodSeconds?: number
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  securityContext?: SecurityContext & { sysctls?: { name: string }[] }
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
  securityContext?: SecurityContext & {
    privileged?: boolean
    allowPrivilegeEscalation?: boolean
    readOnlyRootFilesystem?: boolean
    procMount?: string
    capabilities?: { add?: string[]; drop?: string[] }
  }
}

interface SecurityContext {
  runAsNonRoot?: boolean
  runAsUser?: number
  seccompProfile?: { type: string }
  appArmorProfile?: { type: string }
  seLinuxOptions?: { type?: string; user?: string; role?: string }
  windowsOptions?: { hostProcess?: boolean }
}

interface Action {
  httpGet?: { host?: string; port: number | string; path?: string }
  tcpSocket?: { host?: string; port: number | string }
  exec?: { command: string[] }
}

const volumeTypes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']
const sysctls = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]

/** Every container of a pod, whenever it runs. */
export function containersOf(spec: PodSpec): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}

/** What "restricted" forbids in this pod, one sentence each; none: the pod is admitted. */
export function podSecurityViolations({ metadata, spec }: Pod): string[] {
  const violations: string[] = []
  const refuse = (isBad: boolean, where: string, what: string) => void (isBad && violations.push(`${where}: ${what}`))

  refuse(spec.hostNetwork === true, 'pod', 'hostNetwork')
  refuse(spec.hostPID === true, 'pod', 'hostPID')
  refuse(spec.hostIPC === true, 'pod', 'hostIPC')
  for (const { name } of spec.securityContext?.sysctls ?? []) refuse(!sysctls.includes(name), 'pod', `sysctl ${name}`)
  for (const { name, ...source } of spec.volumes ?? [])
    refuse(
      Object.keys(source).some((type) => !volumeTypes.includes(type)),
      `volume ${name}`,
      'type',
    )
  for (const [name, value] of Object.entries(metadata?.annotations ?? {})) {
    const isAppArmor = name.startsWith('container.apparmor.security.beta.kubernetes.io/')
    refuse(
      isAppArmor && value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'),
      'pod',
      `annotation ${name}`,
    )
  }

  const context = (where: string, { seLinuxOptions = {}, ...own }: SecurityContext) => {
    refuse(own.windowsOptions?.hostProcess === true, where, 'hostProcess')
    refuse(!isConfined(own.appArmorProfile, true), where, 'appArmorProfile')
    refuse(!isConfined(own.seccompProfile, true), where, 'seccompProfile')
    refuse(!seLinuxTypes.includes(seLinuxOptions.type ?? ''), where, 'seLinuxOptions.type')
    refuse(Boolean(seLinuxOptions.user ?? seLinuxOptions.role), where, 'seLinuxOptions.user or role')
    refuse(own.runAsUser === 0, where, 'runAsUser 0')
  }
  context('pod', spec.securityContext ?? {})

  for (const { name, ports = [], lifecycle, securityContext: own = {}, ...container } of containersOf(spec)) {
    const where = `container ${name}`
    context(where, own)
    refuse(!(own.runAsNonRoot ?? spec.securityContext?.runAsNonRoot ?? false), where, 'runAsNonRoot is not true')
    refuse(!isConfined(own.seccompProfile ?? spec.securityContext?.seccompProfile, false), where, 'no seccompProfile')
    refuse(own.privileged === true, where, 'privileged')
    refuse(own.allowPrivilegeEscalation !== false, where, 'allowPrivilegeEscalation is not false')
    refuse(!own.capabilities?.drop?.includes('ALL'), where, 'does not drop ALL capabilities')
    refuse(own.capabilities?.add?.some((added) => added !== 'NET_BIND_SERVICE') ?? false, where, 'adds capabilities')
    refuse(own.procMount !== undefined && own.procMount !== 'Default', where, 'procMount')
    refuse(
      ports.some(({ hostPort }) => Boolean(hostPort)),
      where,
      'hostPort',
    )
    const actions = [
      container.livenessProbe,
      container.readinessProbe,
      container.startupProbe,
      lifecycle?.postStart,
      lifecycle?.preStop,
    ]
    refuse(
      actions.some((action) => Boolean(action?.httpGet?.host ?? action?.tcpSocket?.host)),
      where,
      'a probe or hook names a host',
    )
  }
  return violations
}

function isConfined(profile: { type: string } | undefined, mayBeAbsent: boolean): boolean {
  return profile === undefined ? mayBeAbsent : profile.type === 'RuntimeDefault' || profile.type === 'Localhost'
}
