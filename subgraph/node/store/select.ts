import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import { toHexText, type Value } from "../values/value.ts";
import { type Cell, encodeCell } from "./columns.ts";
import type { Database } from "./database.ts";
import { quote } from "./database.ts";
import { type EntityView, viewOf } from "./entity-store.ts";
import { belongs, type Filter, type Fragment, filterToSql, rowsOf, type Visibility } from "./filters.ts";
import { like } from "./like.ts";

export type Order = {
  readonly field: FieldType;
  /** Field of the entity that `field` refers to. */
  readonly of?: FieldType;
  readonly direction: "asc" | "desc";
};

export type Selection = {
  readonly filter?: Filter | undefined;
  /** By id, ascending, when left out. */
  readonly order?: Order | undefined;
  readonly first: number;
  readonly skip: number;
};

/** What is read of the entities, and as of when. */
export type Reading = {
  readonly visibility: Visibility;
  /** Stored fields that are wanted; the id comes with them. */
  readonly fields: ReadonlySet<string>;
};

/** A statement and the values of its question marks, without the one that each asking gives: an id. */
export type Question = {
  readonly sql: string;
  readonly before: readonly Cell[];
  readonly after: readonly Cell[];
};

/** Fields that nobody asked for are not read: most rows have many, and some are long. */
const columnsOf = (fields: ReadonlySet<string>): string =>
  [...new Set(["id", ...fields])].map((name) => `e.${quote(name)}`).join(", ");

/** Reads entities as of a block. */
export class EntityReader {
  readonly #database: Database;
  readonly #schema: EntitySchema;

  constructor(database: Database, schema: EntitySchema) {
    this.#database = database;
    this.#schema = schema;
    database.define("pg_like", (text, pattern) => like(text ?? null, pattern ?? null, false));
    database.define("pg_ilike", (text, pattern) => like(text ?? null, pattern ?? null, true));
  }

  one(type: EntityType, id: Value, { visibility, fields }: Reading): EntityView | undefined {
    const question = this.askOne(type, columnsOf(fields), visibility);
    const [view] = this.#views(type, question, encodeCell(type.fields.get("id")!, id));
    return view;
  }

  many(type: EntityType, selection: Selection, { visibility, fields }: Reading): EntityView[] {
    return this.#views(type, this.askMany(type, columnsOf(fields), selection, visibility));
  }

  /** What a derived field of `parent` holds. */
  derived(field: FieldType, parent: EntityView, selection: Selection, reading: Reading): EntityView[] {
    const child = this.#schema.entities.get(field.entity!)!;
    const reference = child.fields.get(field.derivedFrom!)!;
    const id = encodeCell({ ...reference, isList: false }, parent.get("id"));
    const { visibility, fields } = reading;
    const question = this.askMany(child, columnsOf(fields), selection, visibility, field);
    return this.#views(child, question, this.referenceTo(field, id));
  }

  /** For `columns` of rows that go by `e`, of the entity with an id. */
  askOne(type: EntityType, columns: string, visibility: Visibility): Question {
    const { sql, cells } = rowsOf(type, visibility);
    return { sql: `SELECT ${columns} FROM ${sql} AS e WHERE e.id = ?`, before: cells, after: [] };
  }

  /** For `columns` of rows that go by `e`; with a derived field, of those that refer to an entity as `referenceTo` says. */
  askMany(
    type: EntityType,
    columns: string,
    selection: Selection,
    visibility: Visibility,
    derived?: FieldType,
  ): Question {
    const seen = rowsOf(type, visibility);
    const link = derived === undefined ? "TRUE" : linkTo(type.fields.get(derived.derivedFrom!)!);
    const where =
      selection.filter === undefined
        ? { sql: "TRUE", cells: [] }
        : filterToSql(this.#schema, type, selection.filter, visibility, "e");
    const order = this.#order(selection.order, visibility);
    // SQLite makes a statement anew for each value of a bare `LIMIT ?`, since it plans by that value.
    return {
      sql: `SELECT ${columns} FROM ${seen.sql} AS e ${order.join.sql}
       WHERE ${link} AND ${where.sql} ORDER BY ${order.sql} LIMIT ? + 0 OFFSET ? + 0`,
      before: [...seen.cells, ...order.join.cells],
      after: [...where.cells, selection.first, selection.skip],
    };
  }

  /** How entities that a derived field holds refer to one, given its id as it is stored. */
  referenceTo(derived: FieldType, id: Cell): Cell {
    const child = this.#schema.entities.get(derived.entity!)!;
    if (!child.fields.get(derived.derivedFrom!)!.isList) return id;
    return id instanceof Uint8Array ? toHexText(id) : String(id);
  }

  /** Rows in the order of a question's columns. */
  rows({ sql, before, after }: Question, ...key: Cell[]): Cell[][] {
    return this.#database.rows(sql, ...before, ...key, ...after);
  }

  #views(type: EntityType, { sql, before, after }: Question, ...key: Cell[]): EntityView[] {
    return this.#database.all(sql, ...before, ...key, ...after).map((row) => viewOf(type, row));
  }

  /** Ties go by id, in the same direction. Nulls come last upwards and first downwards, as in PostgreSQL. */
  #order(order: Order | undefined, visibility: Visibility): { sql: string; join: Fragment } {
    const none = { sql: "", cells: [] };
    if (order === undefined) return { sql: "e.id ASC", join: none };
    const direction = order.direction === "asc" ? "ASC" : "DESC";
    const nulls = direction === "ASC" ? "NULLS LAST" : "NULLS FIRST";
    if (order.of === undefined) {
      const { name, isRequired } = order.field;
      if (name === "id") return { sql: `e.id ${direction}`, join: none };
      return {
        sql: `e.${quote(name)} ${direction} ${isRequired ? "" : nulls}, e.id ${direction}`,
        join: none,
      };
    }
    const child = this.#schema.entities.get(order.field.entity!)!;
    const seen = rowsOf(child, visibility);
    return {
      sql: `o.${quote(order.of.name)} ${direction} ${nulls}, e.id ${direction}`,
      join: {
        sql: `LEFT JOIN ${seen.sql} AS o ON ${belongs(this.#schema, order.field, "e", "o")}`,
        cells: seen.cells,
      },
    };
  }
}

/** A reference that the rows have, or one in a list of them. */
function linkTo({ name, isList }: FieldType): string {
  const column = `e.${quote(name)}`;
  return isList ? `EXISTS (SELECT 1 FROM json_each(${column}) AS j WHERE j.value = ?)` : `${column} = ?`;
}
