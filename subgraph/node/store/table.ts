import type { EntityType, FieldType } from "../schema/entity-schema.ts";
import { type Entity, isSameValue, toHexText, type Value } from "../values/value.ts";
import { type Cell, decodeCell, encodeCell } from "./columns.ts";
import { blockFrom, blockTo, type Database, historyOf, quote, type Row } from "./database.ts";

/** The statements that change the entities of one type. */
export class Table {
  readonly #database: Database;
  readonly #type: EntityType;
  readonly #id: FieldType;
  readonly #insert: string;
  readonly #find: string;
  readonly #keep: string;

  constructor(database: Database, type: EntityType) {
    const table = quote(type.name);
    const columns = type.stored.map(({ name }) => quote(name)).join(", ");
    this.#database = database;
    this.#type = type;
    this.#id = type.fields.get("id")!;
    this.#find = `SELECT * FROM ${table} WHERE id = ?`;
    this.#insert = `INSERT INTO ${table} (${blockFrom}, ${columns}) VALUES (?${", ?".repeat(type.stored.length)})`;
    this.#keep = `INSERT INTO ${historyOf(type)} (${blockFrom}, ${blockTo}, ${columns})
      SELECT ${blockFrom}, ?, ${columns} FROM ${table} WHERE id = ?`;
  }

  find(id: Value): Entity | undefined {
    const row = this.#database.get(this.#find, encodeCell(this.#id, id));
    return row === undefined ? undefined : entityOf(this.#type, row);
  }

  insert(number: bigint, entity: Entity): void {
    const cells: Cell[] = [number];
    for (const field of this.#type.stored) cells.push(encodeCell(field, entity.get(field.name)));
    this.#database.run(this.#insert, ...cells);
  }

  /** Keeps the version that ends. Fields that stay as they are, and their indexes, are not touched. */
  update(number: bigint, before: Entity, after: Entity): void {
    const id = encodeCell(this.#id, before.get("id"));
    this.#database.run(this.#keep, number, id);
    const cells: Cell[] = [number];
    let changed = "";
    for (const field of this.#type.stored) {
      const value = after.get(field.name);
      if (isSameValue(value, before.get(field.name))) continue;
      changed += `, ${quote(field.name)} = ?`;
      cells.push(encodeCell(field, value));
    }
    cells.push(id);
    this.#database.run(
      `UPDATE ${quote(this.#type.name)} SET ${blockFrom} = ?${changed} WHERE id = ?`,
      ...cells,
    );
  }

  remove(number: bigint, before: Entity): void {
    const id = encodeCell(this.#id, before.get("id"));
    this.#database.run(this.#keep, number, id);
    this.#database.run(`DELETE FROM ${quote(this.#type.name)} WHERE id = ?`, id);
  }

  /**
   * Takes back what blocks above `number` did, inside the caller's transaction. Gives the entities that may change again, by
   * their ids as mappings name them: as they are now, undefined when they are gone.
   */
  takeBack(number: bigint): Map<string, Entity | undefined> {
    const changed = new Map<string, Entity | undefined>();
    const table = quote(this.#type.name);
    const isAbove = `${blockFrom} > ?`;
    if (!this.#type.isImmutable) {
      this.#restore(number, changed);
      const ids = this.#database.rows(`SELECT id FROM ${table} WHERE ${isAbove}`, number) as [Cell][];
      for (const [id] of ids) changed.set(this.#named(decodeCell(this.#id, id)), undefined);
      this.#database.run(`DELETE FROM ${historyOf(this.#type)} WHERE ${blockTo} > ?`, number);
    }
    this.#database.run(`DELETE FROM ${table} WHERE ${isAbove}`, number);
    return changed;
  }

  /** Gives entities that were changed or removed the versions back that they had: as with `update`, fields that differ alone. */
  #restore(number: bigint, changed: Map<string, Entity | undefined>): void {
    const { stored, name } = this.#type;
    const columns = stored.map((field) => quote(field.name));
    const versions = this.#database.rows(
      `SELECT ${columns.map((column) => `h.${column}`).join(", ")}, h.${blockFrom}, e."vid$",
         concat(${columns.map((column) => `h.${column} IS NOT e.${column}`).join(", ")})
       FROM ${historyOf(this.#type)} AS h LEFT JOIN ${quote(name)} AS e ON e.id = h.id
       WHERE h.${blockTo} > ? AND h.${blockFrom} <= ?`,
      number,
      number,
    );
    for (const row of versions) {
      const [from, version, differs] = row.slice(stored.length) as [bigint, bigint | null, string];
      if (version === null) this.#database.run(this.#insert, from, ...row.slice(0, stored.length));
      else {
        const cells: Cell[] = [from];
        let sql = "";
        for (let i = 0; i < stored.length; i++) {
          if (differs[i] === "0") continue;
          sql += `, ${columns[i]} = ?`;
          cells.push(row[i]!);
        }
        this.#database.run(
          `UPDATE ${quote(name)} SET ${blockFrom} = ?${sql} WHERE "vid$" = ?`,
          ...cells,
          version,
        );
      }
      const entity = new Map<string, Value>();
      for (let i = 0; i < stored.length; i++) {
        const value = decodeCell(stored[i]!, row[i]!);
        if (value !== null) entity.set(stored[i]!.name, value);
      }
      changed.set(this.#named(entity.get("id")!), entity);
    }
  }

  /** An id as mappings write it. */
  #named = (id: Value): string => (id instanceof Uint8Array ? toHexText(id) : String(id));
}

/** The fields of a row that have a value. */
function entityOf(type: EntityType, row: Row): Entity {
  const entity = new Map<string, Value>();
  for (const field of type.stored) {
    const value = decodeCell(field, row[field.name]!);
    if (value !== null) entity.set(field.name, value);
  }
  return entity;
}
