import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import type { ArgumentNode, FieldNode, SelectionSetNode, ValueNode } from "graphql";
import type { Row } from "../../../keepers/src/roles/audit/rows.ts";
import { type Relation, relations, singular, type TableName } from "./relations.ts";

/** Rows of a table by their id. */
export type Tables = { readonly [T in TableName]: ReadonlyMap<string, Row> };

/** What `_meta` says of an answer. */
export type Meta = { readonly number: number; readonly hash: string; readonly timestamp: number };

type Variables = Readonly<Record<string, unknown>>;
type Filter = Readonly<Record<string, unknown>>;

/** Rows that a list has unless the query says otherwise, as on Graph Node. */
const usualFirst = 100;

/**
 * Answers a query of the subgraph out of rows that were read from the chain: the same document, the same form of answer.
 * It knows what the page's documents use of the language.
 *
 * @throws Error for what it does not know
 */
export function answerFrom<Result, V extends Variables>(
  document: TypedDocumentNode<Result, V>,
  variables: V,
  tables: Tables,
  meta: Meta,
): Result {
  const operation = document.definitions.find(({ kind }) => kind === "OperationDefinition");
  if (operation?.kind !== "OperationDefinition") throw new Error("there is no query in this document");
  const given: Record<string, unknown> = { ...variables };
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const { value } = variable.name;
    if (given[value] === undefined && defaultValue !== undefined) given[value] = valueAt(defaultValue, {});
  }
  const answering = new Answering(tables, given);
  const answer: Record<string, unknown> = {};
  for (const field of fieldsOf(operation.selectionSet)) {
    answer[nameOf(field)] = field.name.value === "_meta" ? metaOf(meta) : answering.root(field);
  }
  return answer as Result;
}

function metaOf(block: Meta) {
  return { deployment: "chain", hasIndexingErrors: false, block };
}

class Answering {
  readonly #tables: Tables;
  readonly #variables: Variables;
  /** Rows by what a field of theirs refers to: each table is walked once, not for every row that asks for its own. */
  readonly #referring = new Map<string, ReadonlyMap<unknown, readonly Row[]>>();

  constructor(tables: Tables, variables: Variables) {
    this.#tables = tables;
    this.#variables = variables;
  }

  root(field: FieldNode): unknown {
    const name = field.name.value;
    const args = this.#arguments(field.arguments);
    const table = singular[name];
    if (table !== undefined) {
      const row = this.#tables[table].get(String(args.id));
      return row === undefined ? null : this.#select(table, row, field.selectionSet!);
    }
    if (!(name in this.#tables)) throw new Error(`"${name}" cannot be told from the chain alone`);
    return this.#list(name as TableName, [...this.#tables[name as TableName].values()], args, field);
  }

  #one(table: TableName, id: unknown, selection: SelectionSetNode): unknown {
    const row = id === null || id === undefined ? undefined : this.#tables[table].get(String(id));
    // An account that is only referred to has no row of its own.
    if (row === undefined) return table === "operators" && id != null ? { id } : null;
    return this.#select(table, row, selection);
  }

  #select(table: TableName, row: Row, selection: SelectionSetNode): Record<string, unknown> {
    const selected: Record<string, unknown> = {};
    for (const field of fieldsOf(selection)) {
      const name = field.name.value;
      const relation = relations[table]?.[name];
      if (relation === undefined) {
        selected[nameOf(field)] = row[name] ?? null;
      } else if (relation.how === "one") {
        selected[nameOf(field)] = this.#one(
          relation.table,
          name === "auction" ? row.id : row[name],
          field.selectionSet!,
        );
      } else {
        const own = this.#related(row, name, relation);
        selected[nameOf(field)] = this.#list(relation.table, own, this.#arguments(field.arguments), field);
      }
    }
    return selected;
  }

  /** The rows that a field leads to. */
  #related(row: Row, name: string, { table, how, by }: Relation): readonly Row[] {
    const all = this.#tables[table];
    if (how === "back") {
      const key = `${table} ${by}`;
      let referring = this.#referring.get(key);
      if (referring === undefined) {
        referring = Map.groupBy(all.values(), (each) => each[by!]);
        this.#referring.set(key, referring);
      }
      return referring.get(row.id) ?? [];
    }
    const ids = how === "many" ? row[name] : [row[name]];
    return Array.isArray(ids) ? ids.flatMap((id) => all.get(String(id)) ?? []) : [];
  }

  #list(table: TableName, rows: readonly Row[], args: Variables, field: FieldNode): unknown[] {
    const { where, orderBy = "id", orderDirection, first = usualFirst, skip = 0 } = args;
    const sign = orderDirection === "desc" ? -1 : 1;
    return rows
      .filter((row) => this.#meets(table, row, (where ?? {}) as Filter))
      .sort((a, b) => sign * (compare(a[String(orderBy)], b[String(orderBy)]) || compare(a.id, b.id)))
      .slice(Number(skip), Number(skip) + Number(first))
      .map((row) => this.#select(table, row, field.selectionSet!));
  }

  #meets(table: TableName, row: Row, filter: Filter): boolean {
    return Object.entries(filter).every(([key, wanted]) => {
      const [, name = key, suffix = ""] = /^(.*?)_(gte|gt|lte|lt|in|not|)$/.exec(key) ?? [];
      const value = row[name] ?? null;
      switch (suffix) {
        case "gte":
          return compare(value, wanted) >= 0;
        case "gt":
          return compare(value, wanted) > 0;
        case "lte":
          return compare(value, wanted) <= 0;
        case "lt":
          return compare(value, wanted) < 0;
        case "in":
          return (wanted as readonly unknown[]).includes(value);
        case "not":
          return value !== wanted;
      }
      if (!key.endsWith("_")) return value === wanted;
      const relation = relations[table]?.[name];
      if (relation === undefined) throw new Error(`"${key}" cannot be told from the chain alone`);
      return this.#related(row, name, relation).some((other) =>
        this.#meets(relation.table, other, wanted as Filter),
      );
    });
  }

  #arguments(nodes: readonly ArgumentNode[] | undefined): Record<string, unknown> {
    return Object.fromEntries(
      (nodes ?? []).map(({ name, value }) => [name.value, valueAt(value, this.#variables)]),
    );
  }
}

function fieldsOf({ selections }: SelectionSetNode): FieldNode[] {
  return selections.map((selection) => {
    if (selection.kind !== "Field") throw new Error("fragments are not known here");
    return selection;
  });
}

function nameOf({ alias, name }: FieldNode): string {
  return alias?.value ?? name.value;
}

function valueAt(node: ValueNode, variables: Variables): unknown {
  switch (node.kind) {
    case "Variable":
      return variables[node.name.value];
    case "IntValue":
    case "FloatValue":
      return Number(node.value);
    case "StringValue":
    case "BooleanValue":
    case "EnumValue":
      return node.value;
    case "NullValue":
      return null;
    case "ListValue":
      return node.values.map((each) => valueAt(each, variables));
    case "ObjectValue":
      return Object.fromEntries(
        node.fields.map(({ name, value }) => [name.value, valueAt(value, variables)]),
      );
  }
}

/** Numbers by their value, however they are written; all else as text; nothing before everything. */
function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  return String(a) < String(b) ? -1 : 1;
}

function numberOf(value: unknown): bigint | undefined {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  return typeof value === "string" && /^-?\d+$/.test(value) ? BigInt(value) : undefined;
}
