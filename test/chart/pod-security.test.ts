import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { podSecurityViolations, type Pod } from '../../tools/kubernetes/pod-security.js'
import { goModule } from '../../tools/services/programs.js'

/** Pods that Kubernetes' own admission is tested with; those for Windows follow other rules. */
const pods = join(
  goModule('k8s.io/pod-security-admission', 'v0.34.4', 'Install Go from https://go.dev/dl/.'),
  'test/testdata/restricted/v1.34',
)
const each = (folder: 'pass' | 'fail') => {
  const files = readdirSync(join(pods, folder)).filter((file) => file !== 'base_windows.yaml')
  return files.map((file) => [file, parse(readFileSync(join(pods, folder, file), 'utf8')) as Pod] as const)
}

/** What is to be said against the pods of a rule. */
const objections: Record<string, string> = {
  allowprivilegeescalation: 'allowPrivilegeEscalation is not false',
  apparmorprofile: 'apparmor',
  capabilities_baseline: 'capabilities',
  capabilities_restricted: 'capabilities',
  hostnamespaces: ': host(Network|PID|IPC)',
  hostpathvolumes: '^volume .* type',
  hostports: 'hostPort',
  hostprobesandhostlifecycle: 'names a host',
  privileged: ': privileged',
  procmount: 'procMount',
  restrictedvolumes: '^volume .* type',
  runasnonroot: 'runAsNonRoot is not true',
  runasuser: 'runAsUser 0',
  seccompprofile_baseline: 'seccompProfile',
  seccompprofile_restricted: 'seccompProfile',
  selinuxoptions: 'seLinuxOptions',
  sysctls: 'sysctl',
  windowshostprocess: 'hostProcess',
}

describe('the rules of "restricted"', () => {
  it('are all tried, on many pods', () => {
    expect(new Set(each('fail').map(([file]) => ruleOf(file)))).toEqual(new Set(Object.keys(objections)))
    expect(each('pass').length).toBeGreaterThan(20)
  })

  it.each(each('pass'))('admit %s', (_, pod) => {
    expect(podSecurityViolations(pod)).toEqual([])
  })

  it.each(each('fail'))('refuse %s, and say why', (file, pod) => {
    expect(
      podSecurityViolations(pod).some((violation) =>
        new RegExp(objections[ruleOf(file)] ?? 'unknown', 'i').test(violation),
      ),
    ).toBe(true)
  })
})

function ruleOf(file: string): string {
  return file.replace(/\d*\.yaml$/, '')
}
