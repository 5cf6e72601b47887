import { QueryError } from "../errors.ts";
import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import type { Value } from "../values/value.ts";
import { type Cell, encodeCell, encodeElement } from "./columns.ts";
import { blockFrom, blockTo, historyOf, indexedText, quote } from "./database.ts";

/** Suffixes of filters, longest first, so that the end of a name is read right. */
export const operators = [
  "not_starts_with_nocase",
  "not_ends_with_nocase",
  "not_contains_nocase",
  "starts_with_nocase",
  "ends_with_nocase",
  "contains_nocase",
  "not_starts_with",
  "not_ends_with",
  "not_contains",
  "starts_with",
  "ends_with",
  "contains",
  "not_in",
  "gte",
  "lte",
  "not",
  "gt",
  "lt",
  "in",
] as const;

export type Operator = (typeof operators)[number] | "equals";

export type Filter =
  | { readonly kind: "and" | "or"; readonly filters: readonly Filter[] }
  | {
      readonly kind: "compare";
      readonly field: FieldType;
      readonly operator: Operator;
      readonly value: Value;
    }
  | { readonly kind: "changed"; readonly since: bigint }
  | { readonly kind: "child"; readonly field: FieldType; readonly filter: Filter };

/** SQL with the values of its question marks. */
export type Fragment = { readonly sql: string; readonly cells: readonly Cell[] };

/** Which versions of entities a query sees. */
export type Visibility = { readonly at: bigint | "latest" };

/** The rows of a type that a query sees, as a table. */
export function rowsOf(type: EntityType, { at }: Visibility): Fragment {
  const table = quote(type.name);
  if (at === "latest") return { sql: table, cells: [] };
  const now = `SELECT * FROM ${table} WHERE ${blockFrom} <= ?`;
  if (type.isImmutable) return { sql: `(${now})`, cells: [at] };
  const columns = [quote("vid$"), blockFrom, ...type.stored.map(({ name }) => quote(name))].join(", ");
  return {
    sql: `(${now} UNION ALL SELECT ${columns} FROM ${historyOf(type)} WHERE ${blockFrom} <= ? AND ${blockTo} > ?)`,
    cells: [at, at, at],
  };
}

const comparisons: Partial<Record<Operator, string>> = {
  equals: "=",
  not: "<>",
  gt: ">",
  lt: "<",
  gte: ">=",
  lte: "<=",
};

/** A condition on the rows of `type`, which go by `alias`. */
export function filterToSql(
  schema: EntitySchema,
  type: EntityType,
  filter: Filter,
  visibility: Visibility,
  alias: string,
): Fragment {
  switch (filter.kind) {
    case "and":
    case "or": {
      const parts = filter.filters.map((part) => filterToSql(schema, type, part, visibility, alias));
      if (parts.length === 0) return { sql: filter.kind === "and" ? "TRUE" : "FALSE", cells: [] };
      return {
        sql: `(${parts.map(({ sql }) => sql).join(filter.kind === "and" ? " AND " : " OR ")})`,
        cells: parts.flatMap(({ cells }) => cells),
      };
    }
    case "changed":
      return { sql: `${alias}.${blockFrom} >= ?`, cells: [filter.since] };
    case "child":
      return childToSql(schema, filter, visibility, alias);
    case "compare":
      return compareToSql(
        filter.field,
        filter.operator,
        filter.value,
        `${alias}.${quote(filter.field.name)}`,
      );
  }
}

/** How a row of `child` (by its alias) belongs to the field of a row of the parent. */
export function belongs(schema: EntitySchema, field: FieldType, parent: string, child: string): string {
  const childType = schema.entities.get(field.entity!)!;
  const [list, owner, key] =
    field.derivedFrom === undefined
      ? [field, parent, child]
      : [childType.fields.get(field.derivedFrom)!, child, parent];
  const column = `${owner}.${quote(list.name)}`;
  if (!list.isList) return `${column} = ${key}.id`;
  const id = list.scalar === "Bytes" ? `'0x' || lower(hex(${key}.id))` : `CAST(${key}.id AS TEXT)`;
  return `EXISTS (SELECT 1 FROM json_each(${column}) AS j WHERE j.value = ${id})`;
}

function childToSql(
  schema: EntitySchema,
  { field, filter }: Extract<Filter, { kind: "child" }>,
  visibility: Visibility,
  alias: string,
): Fragment {
  if (alias !== "e")
    throw new QueryError(
      `the filter of ${field.name} is nested in the filter of another entity, which is not supported`,
    );
  const child = schema.entities.get(field.entity!)!;
  const rows = rowsOf(child, visibility);
  const inner = filterToSql(schema, child, filter, visibility, "c");
  return {
    sql: `EXISTS (SELECT 1 FROM ${rows.sql} AS c WHERE ${belongs(schema, field, alias, "c")} AND ${inner.sql})`,
    cells: [...rows.cells, ...inner.cells],
  };
}

function compareToSql(field: FieldType, operator: Operator, value: Value, column: string): Fragment {
  if (operator === "in" || operator === "not_in") return membership(field, operator, value, column);
  const comparison = comparisons[operator];
  if (value === null) {
    if (operator === "equals") return { sql: `${column} IS NULL`, cells: [] };
    if (operator === "not") return { sql: `${column} IS NOT NULL`, cells: [] };
    throw new QueryError(`${field.name}_${operator} cannot be null`);
  }
  if (comparison !== undefined) {
    const isShort = operator === "equals" && typeof value === "string" && isIndexed(value);
    return {
      sql: `${column} ${comparison} ?${isShort ? short(column) : ""}`,
      cells: [encodeCell(field, value)],
    };
  }
  const isNegated = operator.startsWith("not_");
  if (field.isList) return overlap(field, value as readonly Value[], isNegated, column);
  if (value instanceof Uint8Array)
    return { sql: `instr(${column}, ?) ${isNegated ? "= 0" : "> 0"}`, cells: [value] };
  return pattern(operator, value as string, isNegated, column);
}

/** Short texts are in an index, which SQLite uses only when the query says itself that the text is short. */
const isIndexed = (text: string): boolean => [...text].length <= indexedText;
const short = (column: string): string => ` AND length(${column}) <= ${indexedText}`;

/** As on graph-node, an empty list matches nothing, with `not_in` too. */
function membership(field: FieldType, operator: "in" | "not_in", value: Value, column: string): Fragment {
  const values = (value ?? []) as readonly Value[];
  if (values.length === 0) return { sql: "FALSE", cells: [] };
  const marks = values.map(() => "?").join(", ");
  const areShort =
    operator === "in" && values.every((element) => typeof element === "string" && isIndexed(element));
  return {
    sql: `${column} ${operator === "in" ? "IN" : "NOT IN"} (${marks})${areShort ? short(column) : ""}`,
    cells: values.map((element) => encodeCell(field, element)),
  };
}

/** `contains`: all of the values are in the list; `not_contains`: none of them is. */
function overlap(field: FieldType, values: readonly Value[], isNegated: boolean, column: string): Fragment {
  const wanted = JSON.stringify(values.map((value) => encodeElement(field.scalar, value)));
  const held = `SELECT j.value FROM json_each(${column}) AS j`;
  const sql = isNegated
    ? `NOT EXISTS (SELECT 1 FROM json_each(?) AS w WHERE w.value IN (${held}))`
    : `NOT EXISTS (SELECT 1 FROM json_each(?) AS w WHERE w.value NOT IN (${held}))`;
  return { sql: `(${column} IS NOT NULL AND ${sql})`, cells: [wanted] };
}

/** SQL's patterns: graph-node passes % and _ in the client's text on to PostgreSQL as they are. */
function pattern(operator: Operator, text: string, isNegated: boolean, column: string): Fragment {
  const isStart = operator.includes("starts_with");
  const isEnd = operator.includes("ends_with");
  const wholePattern = isStart
    ? `${text}%`
    : isEnd
      ? `%${text}`
      : text.startsWith("%") || text.endsWith("%")
        ? text
        : `%${text}%`;
  const name = operator.endsWith("_nocase") ? "pg_ilike" : "pg_like";
  return { sql: `${name}(${column}, ?) = ${isNegated ? 0 : 1}`, cells: [wholePattern] };
}
