import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { cache, goModule } from '../../../tools/services/programs.js'

/** The releases of Kubernetes that charts are checked against, each by its newest patch on Go's module proxy. */
export const releases = { '1.32': '1.32.13', '1.34': '1.34.4' } as const
export type Minor = keyof typeof releases

const gatewayApi = 'v1.3.0'
const advice =
  'Kubernetes publishes its OpenAPI as a Go module, which Go downloads once: install it from https://go.dev/dl/.'
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

type Schema = Record<string, unknown>
interface Kind {
  group: string
  version: string
  kind: string
}
interface CustomResource {
  spec: { group: string; names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: Schema } }[] }
}

/**
 * A folder for kubeconform's `-schema-location`: one strict schema for each kind of a release of Kubernetes and of the
 * Gateway API, made once from their own descriptions. The first run downloads 17 MB for each release.
 */
export function schemaFolder(minor: Minor): string {
  const patch = releases[minor]
  // A change of this file makes new schemas.
  const edition = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .digest('hex')
    .slice(0, 8)
  const folder = join(cache, `kubernetes-${patch}-${edition}`)
  if (existsSync(folder)) return folder

  process.stdout.write(`Making schemas of Kubernetes ${patch}, once.\n`)
  mkdirSync(cache, { recursive: true })
  const draft = mkdtempSync(`${folder}-`)
  const place = join(draft, `v${patch}-standalone-strict`)
  mkdirSync(place)
  for (const [{ kind, group, version }, schema] of schemasOf(patch)) {
    const name = [kind, ...group.split('.').slice(0, 1), version].filter((part) => part !== '').join('-')
    writeFileSync(join(place, `${name.toLowerCase()}.json`), JSON.stringify(schema))
  }
  try {
    renameSync(draft, folder)
  } catch (error) {
    rmSync(draft, { recursive: true })
    // Another process made the same schemas in the meantime.
    if (!existsSync(folder)) throw error
  }
  return folder
}

function* schemasOf(patch: string): Generator<[Kind, Schema]> {
  const read = (...path: string[]) => readFileSync(join(...path), 'utf8')
  const kubernetes = goModule('k8s.io/kubernetes', `v${patch}`, advice)
  const { definitions } = JSON.parse(read(kubernetes, 'api/openapi-spec/swagger.json')) as {
    definitions: Record<string, Schema>
  }
  for (const definition of Object.values(definitions)) {
    // A definition that belongs to many kinds is an option of requests, not a resource.
    const kinds = (definition['x-kubernetes-group-version-kind'] ?? []) as Kind[]
    if (kinds[0] !== undefined && kinds.length === 1) yield [kinds[0], resource(kinds[0], definition, definitions)]
  }
  const customResources = join(goModule('sigs.k8s.io/gateway-api', gatewayApi, advice), 'config/crd/standard')
  for (const file of readdirSync(customResources)) {
    const { spec } = parse(read(customResources, file)) as CustomResource
    for (const { name, schema } of spec.versions) {
      const kind: Kind = { group: spec.group, version: name, kind: spec.names.kind }
      yield [kind, resource(kind, schema.openAPIV3Schema, definitions)]
    }
  }
}

/** A schema that needs no other file: it names its kind and contains all definitions that it refers to. */
function resource({ group, version, kind }: Kind, description: Schema, all: Record<string, Schema>): Schema {
  const { properties = {}, required = [], ...rest } = description as { properties?: Schema; required?: string[] }
  const definitions: Schema = {}
  const use = (name: string) => {
    if (name in definitions) return
    definitions[name] = {} // it may refer to itself
    definitions[name] = strict(all[name] ?? {}, use)
  }
  const schema = strict({ ...rest, properties, required: [...new Set([...required, 'apiVersion', 'kind'])] }, use)
  use(objectMeta)
  const own = {
    apiVersion: { enum: [group === '' ? version : `${group}/${version}`] },
    kind: { enum: [kind] },
    // Lists have other metadata. Custom resources do not describe theirs.
    ...(!kind.endsWith('List') && { metadata: { $ref: `#/definitions/${objectMeta}` } }),
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...schema,
    properties: { ...(schema.properties as Schema), ...own },
    definitions,
  }
}

/** JSON schema of what the API server accepts under strict validation: no field it does not know, and null only for an absent list or map. */
function strict(schema: Schema, use: (name: string) => void, mayBeNull = false): Schema {
  const { $ref, type, format, properties, required = [], items, additionalProperties, ...rest } = schema
  if (typeof $ref === 'string') {
    const name = $ref.replace('#/definitions/', '')
    use(name)
    // A quantity may be a number too, but its description allows only text.
    return name.endsWith('.Quantity') ? { type: ['string', 'number'] } : { $ref }
  }
  if (format === 'int-or-string' || rest['x-kubernetes-int-or-string']) return { type: ['integer', 'string'] }

  const result = Object.fromEntries(
    Object.entries(rest).filter(([key]) => key !== 'description' && key !== 'default' && !key.startsWith('x-')),
  )
  if (type !== undefined) result.type = mayBeNull && (type === 'array' || type === 'object') ? [type, 'null'] : type
  if (items !== undefined) result.items = strict(items as Schema, use)
  if (properties !== undefined) {
    const isOptional = (name: string) => !(required as string[]).includes(name)
    const entries = Object.entries(properties as Record<string, Schema>)
    result.properties = Object.fromEntries(
      entries.map(([name, property]) => [name, strict(property, use, isOptional(name))]),
    )
    result.required = required
    result.additionalProperties = rest['x-kubernetes-preserve-unknown-fields'] === true
  }
  if (additionalProperties !== undefined)
    result.additionalProperties =
      typeof additionalProperties === 'object' ? strict(additionalProperties as Schema, use) : additionalProperties
  return result
}
