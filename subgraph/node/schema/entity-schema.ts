import { type DocumentNode, type FieldDefinitionNode, Kind, parse, type TypeNode } from "graphql";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { UnsupportedSubgraphError } from "../errors.ts";
import { type Scalar, scalars } from "../values/value.ts";

export type FieldType = {
  readonly name: string;
  /** The scalar that is stored: for a reference, the type of the other entity's id; for an enum, String. */
  readonly scalar: Scalar;
  readonly isList: boolean;
  readonly isRequired: boolean;
  /** Entity that is referred to. */
  readonly entity?: string;
  readonly enumeration?: string;
  /** Field of `entity` that holds the reference; such fields are not stored. */
  readonly derivedFrom?: string;
};

export type EntityType = {
  readonly name: string;
  /** Never updated once stored. */
  readonly isImmutable: boolean;
  readonly fields: ReadonlyMap<string, FieldType>;
  /** Fields that are stored, in the order of the schema. */
  readonly stored: readonly FieldType[];
};

export type EntitySchema = {
  readonly entities: ReadonlyMap<string, EntityType>;
  readonly enumerations: ReadonlyMap<string, readonly string[]>;
};

const isScalar = (name: string): name is Scalar => (scalars as readonly string[]).includes(name);

function unwrap(type: TypeNode): { name: string; isList: boolean; isRequired: boolean } {
  if (type.kind === Kind.NON_NULL_TYPE) return { ...unwrap(type.type), isRequired: true };
  if (type.kind !== Kind.LIST_TYPE) return { name: type.name.value, isList: false, isRequired: false };
  const inner = unwrap(type.type);
  if (inner.isList) throw new UnsupportedSubgraphError("lists of lists are not supported in entities");
  return { ...inner, isList: true, isRequired: false };
}

function directiveArgument(field: FieldDefinitionNode, directive: string, argument: string) {
  const value = field.directives
    ?.find(({ name }) => name.value === directive)
    ?.arguments?.find(({ name }) => name.value === argument)?.value;
  return value?.kind === Kind.STRING ? value.value : undefined;
}

/** Reads the types of a subgraph's `schema.graphql`. Throws what this node does not do by name. */
export function readEntitySchema(source: string): EntitySchema {
  let document: DocumentNode;
  try {
    document = parse(source);
  } catch (cause) {
    throw new BadInputError("the schema of the subgraph is not GraphQL", { cause });
  }
  const enumerations = new Map<string, string[]>();
  const nodes = new Map<string, { isImmutable: boolean; fields: readonly FieldDefinitionNode[] }>();
  for (const node of document.definitions) {
    if (node.kind === Kind.ENUM_TYPE_DEFINITION)
      enumerations.set(node.name.value, node.values?.map(({ name }) => name.value) ?? []);
    else if (node.kind === Kind.OBJECT_TYPE_DEFINITION && node.name.value !== "_Schema_") {
      const entity = node.directives?.find(({ name }) => name.value === "entity");
      if (entity === undefined)
        throw new UnsupportedSubgraphError(
          `${node.name.value} is not an @entity: aggregations are not supported`,
        );
      if (node.interfaces !== undefined && node.interfaces.length > 0)
        throw new UnsupportedSubgraphError(
          `${node.name.value} implements an interface, which is not supported`,
        );
      const flag = (flagName: string) =>
        entity.arguments?.some(
          ({ name, value }) => name.value === flagName && value.kind === Kind.BOOLEAN && value.value,
        ) ?? false;
      if (flag("timeseries")) throw new UnsupportedSubgraphError("time series are not supported");
      nodes.set(node.name.value, { isImmutable: flag("immutable"), fields: node.fields ?? [] });
    } else
      throw new UnsupportedSubgraphError(
        `${"name" in node ? node.name?.value : node.kind}: interfaces, unions and full-text search are not supported`,
      );
  }

  const idOf = (entity: string): Scalar => {
    const id = nodes.get(entity)?.fields.find(({ name }) => name.value === "id");
    const { name } = id === undefined ? { name: "nothing" } : unwrap(id.type);
    if (name === "ID" || name === "String") return "String";
    if (name === "Bytes" || name === "Int8") return name;
    throw new BadInputError(`the id of ${entity} is ${name}; it must be ID, String, Bytes or Int8`);
  };
  const fieldOf = (entity: string, node: FieldDefinitionNode): FieldType => {
    const { name, isList, isRequired } = unwrap(node.type);
    const common = { name: node.name.value, isList, isRequired };
    const derivedFrom = directiveArgument(node, "derivedFrom", "field");
    if (isScalar(name)) return { ...common, scalar: name === "ID" ? idOf(entity) : name };
    if (enumerations.has(name)) return { ...common, scalar: "String", enumeration: name };
    if (!nodes.has(name)) throw new BadInputError(`${entity}.${common.name} has the unknown type ${name}`);
    return { ...common, scalar: idOf(name), entity: name, ...(derivedFrom !== undefined && { derivedFrom }) };
  };

  const entities = new Map<string, EntityType>();
  for (const [name, { isImmutable, fields }] of nodes) {
    const types = fields.map((field) => fieldOf(name, field));
    entities.set(name, {
      name,
      isImmutable,
      fields: new Map(types.map((field) => [field.name, field])),
      stored: types.filter(({ derivedFrom }) => derivedFrom === undefined),
    });
  }
  for (const { name, fields } of entities.values())
    for (const { name: field, derivedFrom, entity } of fields.values())
      if (derivedFrom !== undefined && entities.get(entity!)?.fields.get(derivedFrom)?.entity !== name)
        throw new BadInputError(
          `${name}.${field} is derived from ${entity}.${derivedFrom}, which does not refer to it`,
        );
  return { entities, enumerations };
}
