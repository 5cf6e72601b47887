import { buildSchema, GraphQLError, type GraphQLScalarType, type GraphQLSchema, Kind } from "graphql";
import { BigDecimal } from "../values/big-decimal.ts";
import { parseBytes, toJson, type Value } from "../values/value.ts";
import type { EntitySchema, EntityType, FieldType } from "./entity-schema.ts";

const comparable = ["", "not", "gt", "lt", "gte", "lte", "in", "not_in"];
const textual = ["contains", "starts_with", "ends_with"].flatMap((name) => [
  name,
  `${name}_nocase`,
  `not_${name}`,
  `not_${name}_nocase`,
]);

/** Suffixes of filters by type (graph-node, graph/src/schema/api.rs). */
const suffixes: Record<string, readonly string[]> = {
  ID: comparable,
  Int: comparable,
  Int8: comparable,
  Timestamp: comparable,
  BigInt: comparable,
  BigDecimal: comparable,
  Bytes: [...comparable, "contains", "not_contains"],
  Boolean: ["", "not", "in", "not_in"],
  String: [...comparable, ...textual],
};
const listSuffixes = ["", "not", "contains", "contains_nocase", "not_contains", "not_contains_nocase"];

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** Name of the query for one entity: the type's in camel case. */
export const singular = (type: string): string => lowerFirst(type);

/** Name of the query for many: English plural, and "_collection" where singular and plural are the same word. */
export function plural(type: string): string {
  const name = lowerFirst(type);
  if (/(?:s|x|z|ch|sh)$/.test(name)) return `${name}es`;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return `${name}s`;
}

/** Type by which values of a field are given in filters. */
function inputType(field: FieldType): string {
  if (field.enumeration !== undefined) return field.enumeration;
  if (field.entity === undefined)
    return field.name === "id" && field.scalar === "String" ? "ID" : field.scalar;
  return field.scalar === "Int8" ? "Int" : "String";
}

function filterFields(field: FieldType): string[] {
  const fields: string[] = [];
  const type = inputType(field);
  if (field.derivedFrom === undefined) {
    const wanted = field.isList
      ? listSuffixes
      : field.enumeration !== undefined
        ? ["", "not", "in", "not_in"]
        : suffixes[type]!;
    for (const suffix of wanted) {
      const isListed = field.isList || suffix === "in" || suffix === "not_in";
      const name = suffix === "" ? field.name : `${field.name}_${suffix}`;
      fields.push(`${name}: ${isListed ? `[${type}!]` : type}`);
    }
  }
  if (field.entity !== undefined) fields.push(`${field.name}_: ${field.entity}_filter`);
  return fields;
}

/** Values of `orderBy`; the fields of an entity that is referred to by one field are `field__name`. */
function orderFields(schema: EntitySchema, field: FieldType): string[] {
  if (field.entity === undefined || field.isList) return [field.name];
  const children = [...schema.entities.get(field.entity)!.fields.values()];
  return [
    field.name,
    ...children
      .filter(({ entity, isList }) => entity === undefined && !isList)
      .map(({ name }) => `${field.name}__${name}`),
  ];
}

const listArguments = (type: string) =>
  `skip: Int = 0, first: Int = 100, orderBy: ${type}_orderBy, orderDirection: OrderDirection, where: ${type}_filter`;

const subgraphError = "subgraphError: _SubgraphErrorPolicy_! = deny";

function outputType({ name, entity, enumeration, scalar, isList, isRequired }: FieldType): string {
  const type = entity ?? enumeration ?? (name === "id" && scalar === "String" ? "ID" : scalar);
  // A stored reference may point at nothing; graph-node then fails the field when it must not be null.
  return `${isList ? `[${type}!]` : type}${isRequired ? "!" : ""}`;
}

function entityTypes(schema: EntitySchema, type: EntityType): string {
  const fields = [...type.fields.values()];
  const declared = fields.map((field) => {
    const given = field.entity !== undefined && field.isList ? `(${listArguments(field.entity)})` : "";
    return `${field.name}${given}: ${outputType(field)}`;
  });
  return `
    type ${type.name} { ${declared.join("\n")} }
    enum ${type.name}_orderBy { ${fields.flatMap((field) => orderFields(schema, field)).join("\n")} }
    input ${type.name}_filter {
      ${fields.flatMap(filterFields).join("\n")}
      _change_block: BlockChangedFilter
      and: [${type.name}_filter]
      or: [${type.name}_filter]
    }`;
}

const commonTypes = `
  scalar BigDecimal
  scalar BigInt
  scalar Bytes
  "8 bytes signed integer"
  scalar Int8
  "A string representation of microseconds UNIX timestamp (16 digits)"
  scalar Timestamp
  enum OrderDirection { asc desc }
  input BlockChangedFilter { number_gte: Int! }
  input Block_height { hash: Bytes number: Int number_gte: Int }
  type _Block_ { hash: Bytes number: Int! timestamp: Int parentHash: Bytes }
  type _Meta_ { block: _Block_! deployment: String! hasIndexingErrors: Boolean! }
  enum _SubgraphErrorPolicy_ { allow deny }`;

/** The schema that clients query, as graph-node derives it from a subgraph's. Fields have no resolvers yet. */
export function apiSchema(schema: EntitySchema): GraphQLSchema {
  const types = [...schema.entities.values()];
  const queries = types.flatMap(({ name }) => [
    `${singular(name)}(id: ID!, block: Block_height, ${subgraphError}): ${name}`,
    `${plural(name)}(${listArguments(name)}, block: Block_height, ${subgraphError}): [${name}!]!`,
  ]);
  const enumerations = [...schema.enumerations].map(
    ([name, values]) => `enum ${name} { ${values.join(" ")} }`,
  );
  const built = buildSchema(
    [
      commonTypes,
      ...enumerations,
      ...types.map((type) => entityTypes(schema, type)),
      `type Query { ${queries.join("\n")} _meta(block: Block_height): _Meta_ }`,
    ].join("\n"),
  );
  for (const [name, read] of Object.entries(scalarReaders)) {
    const scalar = built.getType(name) as GraphQLScalarType;
    Object.assign(scalar, scalarFunctions(name, read));
  }
  return built;
}

const integer =
  (bits: number) =>
  (text: string): Value | undefined => {
    if (!/^[+-]?\d{1,2000}$/.test(text)) return undefined;
    const value = BigInt(text);
    return bits === 0 || BigInt.asIntN(bits, value) === value ? value : undefined;
  };

function decimal(text: string): Value | undefined {
  try {
    return BigDecimal.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads a scalar out of the text of a number or string. */
const scalarReaders: Record<string, (text: string) => Value | undefined> = {
  BigInt: integer(0),
  Int8: integer(64),
  Timestamp: integer(64),
  BigDecimal: decimal,
  Bytes: parseBytes,
};

function scalarFunctions(name: string, read: (text: string) => Value | undefined) {
  const parse = (given: unknown): Value => {
    const isText = typeof given === "string" || (typeof given === "number" && name !== "Bytes");
    const value = isText ? read(String(given)) : undefined;
    if (value === undefined) throw new GraphQLError(`${name} cannot represent ${JSON.stringify(given)}`);
    return value;
  };
  return {
    serialize: (value: Value) => toJson(value),
    parseValue: parse,
    parseLiteral: (node: Parameters<GraphQLScalarType["parseLiteral"]>[0]) => {
      if (node.kind === Kind.STRING) return parse(node.value);
      if ((node.kind === Kind.INT || node.kind === Kind.FLOAT) && name !== "Bytes") {
        const value = read(node.value);
        if (value !== undefined) return value;
      }
      throw new GraphQLError(`${name} cannot represent a ${node.kind}`, { nodes: node });
    },
  };
}
