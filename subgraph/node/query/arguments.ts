import { QueryError } from "../errors.ts";
import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import { type Filter, type Operator, operators } from "../store/filters.ts";
import type { Order, Selection } from "../store/select.ts";
import { parseBytes, type Value } from "../values/value.ts";

/** Most entities in one answer to one field, as on graph-node. */
export const maximumFirst = 1_000;
/** Most entities that may be passed over; further pages are asked for by `id_gt`. */
export const maximumSkip = 5_000;
/** Parts of one filter, nested ones included. */
const maximumConditions = 200;
const maximumInList = 1_000;

/** What GraphQL gives for the arguments of a field that lists entities. */
export type ListArguments = {
  readonly first?: number | null;
  readonly skip?: number | null;
  readonly orderBy?: string | null;
  readonly orderDirection?: "asc" | "desc" | null;
  readonly where?: Record<string, unknown> | null;
};

export function selectionOf(schema: EntitySchema, type: EntityType, given: ListArguments): Selection {
  const first = given.first ?? 100;
  const skip = given.skip ?? 0;
  if (first < 0 || first > maximumFirst)
    throw new QueryError(
      `The value of the \`first\` argument must be between 0 and ${maximumFirst}, but is ${first}`,
    );
  if (skip < 0 || skip > maximumSkip)
    throw new QueryError(
      `The value of the \`skip\` argument must be between 0 and ${maximumSkip}, but is ${skip}`,
    );
  const budget = { left: maximumConditions };
  return {
    first,
    skip,
    filter: given.where == null ? undefined : filterOf(schema, type, given.where, budget),
    order:
      given.orderBy == null
        ? given.orderDirection === "desc"
          ? { field: type.fields.get("id")!, direction: "desc" }
          : undefined
        : orderOf(schema, type, given.orderBy, given.orderDirection ?? "asc"),
  };
}

function orderOf(schema: EntitySchema, type: EntityType, name: string, direction: "asc" | "desc"): Order {
  const field = type.fields.get(name);
  if (field !== undefined) {
    if (field.derivedFrom !== undefined)
      throw new QueryError(`${type.name} cannot be ordered by ${name}, which is derived`);
    return { field, direction };
  }
  const split = name.indexOf("__");
  const reference = type.fields.get(name.slice(0, split))!;
  return {
    field: reference,
    of: schema.entities.get(reference.entity!)!.fields.get(name.slice(split + 2))!,
    direction,
  };
}

function filterOf(
  schema: EntitySchema,
  type: EntityType,
  where: Record<string, unknown>,
  budget: { left: number },
): Filter {
  const entries = Object.entries(where).filter(([, value]) => value !== undefined);
  const named = entries.filter(([name]) => name !== "and" && name !== "or");
  const beside = entries.map(([name]) => name).filter((name) => name !== "or");
  if (beside.length < entries.length && beside.length > 0)
    throw new QueryError(`"or" stands beside ${beside.join(", ")}: put those into each of its parts`);
  const filters = named.map(([name, value]) => conditionOf(schema, type, name, value, budget));
  for (const kind of ["and", "or"] as const) {
    const parts = where[kind] as readonly (Record<string, unknown> | null)[] | null | undefined;
    if (parts == null) continue;
    filters.push({ kind, filters: parts.map((part) => filterOf(schema, type, part ?? {}, budget)) });
  }
  return { kind: "and", filters };
}

function conditionOf(
  schema: EntitySchema,
  type: EntityType,
  name: string,
  value: unknown,
  budget: { left: number },
): Filter {
  if (--budget.left < 0) throw new QueryError(`a filter has more than ${maximumConditions} conditions`);
  if (name === "_change_block")
    return { kind: "changed", since: BigInt((value as { number_gte: number }).number_gte) };
  if (name.endsWith("_") && type.fields.has(name.slice(0, -1))) {
    const field = type.fields.get(name.slice(0, -1))!;
    const child = schema.entities.get(field.entity!)!;
    return {
      kind: "child",
      field,
      filter: filterOf(schema, child, (value ?? {}) as Record<string, unknown>, budget),
    };
  }
  const [field, operator] = fieldAndOperator(type, name);
  return { kind: "compare", field, operator, value: inputValue(field, value) };
}

/** A field may itself end like a suffix: the whole name goes first. */
function fieldAndOperator(type: EntityType, name: string): [FieldType, Operator] {
  const whole = type.fields.get(name);
  if (whole !== undefined) return [whole, "equals"];
  for (const operator of operators) {
    const field = name.endsWith(`_${operator}`)
      ? type.fields.get(name.slice(0, -operator.length - 1))
      : undefined;
    if (field !== undefined) return [field, operator];
  }
  throw new QueryError(`${type.name} has no field for the filter ${name}`);
}

/** Scalars are parsed by GraphQL already; ids of other entities come as text whatever they are stored as. */
function inputValue(field: FieldType, value: unknown): Value {
  if (value == null) return null;
  if (Array.isArray(value)) {
    if (value.length > maximumInList)
      throw new QueryError(`${field.name}: more than ${maximumInList} values`);
    return value.map((element) => inputValue(field, element));
  }
  if (field.scalar === "Bytes" && typeof value === "string") {
    const bytes = parseBytes(value);
    if (bytes === undefined)
      throw new QueryError(`${field.name}: "${value.slice(0, 80)}" is not hexadecimal`);
    return bytes;
  }
  if (field.scalar === "Int8" && typeof value === "number") return BigInt(value);
  return value as Value;
}
