import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import type { Value } from "../values/value.ts";
import { encodeCell } from "./columns.ts";
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
    const rows = rowsOf(type, visibility);
    const row = this.#database.get(
      `SELECT ${columnsOf(fields)} FROM ${rows.sql} AS e WHERE e.id = ?`,
      ...rows.cells,
      encodeCell(type.fields.get("id")!, id),
    );
    return row === undefined ? undefined : viewOf(type, row);
  }

  many(type: EntityType, selection: Selection, reading: Reading): EntityView[] {
    return this.#select(type, selection, reading, { sql: "TRUE", cells: [] });
  }

  /** What a derived field of `parent` holds. */
  derived(field: FieldType, parent: EntityView, selection: Selection, reading: Reading): EntityView[] {
    const child = this.#schema.entities.get(field.entity!)!;
    const reference = child.fields.get(field.derivedFrom!)!;
    const id = encodeCell({ ...reference, isList: false }, parent.get("id"));
    const column = `e.${quote(reference.name)}`;
    const link: Fragment = reference.isList
      ? {
          sql: `EXISTS (SELECT 1 FROM json_each(${column}) AS j WHERE j.value = ?)`,
          cells: [id instanceof Uint8Array ? `0x${Buffer.from(id).toString("hex")}` : String(id)],
        }
      : { sql: `${column} = ?`, cells: [id] };
    return this.#select(child, selection, reading, link);
  }

  #select(
    type: EntityType,
    selection: Selection,
    { visibility, fields }: Reading,
    link: Fragment,
  ): EntityView[] {
    const seen = rowsOf(type, visibility);
    const where =
      selection.filter === undefined
        ? { sql: "TRUE", cells: [] }
        : filterToSql(this.#schema, type, selection.filter, visibility, "e");
    const order = this.#order(selection.order, visibility);
    const rows = this.#database.all(
      `SELECT ${columnsOf(fields)} FROM ${seen.sql} AS e ${order.join.sql}
       WHERE ${link.sql} AND ${where.sql} ORDER BY ${order.sql} LIMIT ? OFFSET ?`,
      ...seen.cells,
      ...order.join.cells,
      ...link.cells,
      ...where.cells,
      selection.first,
      selection.skip,
    );
    return rows.map((row) => viewOf(type, row));
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
