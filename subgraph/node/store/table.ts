import type { EntityType, FieldType } from "../schema/entity-schema.ts";
import { type Entity, isSameValue, toHexText, type Value } from "../values/value.ts";
import { type Cell, decodeCell, encodeCell } from "./columns.ts";
import { blockFrom, blockTo, type Database, historyOf, quote } from "./database.ts";

/** A row, and the cells of the version that it has to hold. */
type Behind = { readonly version: bigint; readonly cells: readonly Cell[] };

/** Most rows of blocks that were taken back that wait to be written over; of more, none does. */
const mostLeft = 20_000;

/** The statements that change the entities of one type. */
export class Table {
  readonly #database: Database;
  readonly #type: EntityType;
  readonly #id: FieldType;
  readonly #table: string;
  /** The block that a version begins with, then the stored fields. */
  readonly #columns: readonly string[];
  readonly #insert: string;
  readonly #find: string;
  readonly #keep: string;
  readonly #compare: string;
  readonly #drop: string;
  /** Statements of `#write` by what they write. */
  readonly #writes = new Map<string, string>();
  /** Rows of blocks that were taken back, by ids as mappings name them: they count no more, and go with `settle`. */
  readonly #left = new Map<string, bigint>();
  /** In the same way, rows of the history whose versions hold again, until they are changed again. */
  readonly #leftHistory = new Map<string, bigint>();
  /** Rows that are still as blocks that were taken back had them, and what they have to be. */
  readonly #behind = new Map<string, Behind>();

  constructor(database: Database, type: EntityType) {
    const table = quote(type.name);
    const fields = type.stored.map(({ name }) => quote(name));
    const columns = fields.join(", ");
    this.#database = database;
    this.#type = type;
    this.#id = type.fields.get("id")!;
    this.#table = table;
    this.#columns = [blockFrom, ...fields];
    this.#find = `SELECT ${this.#columns.join(", ")} FROM ${table} WHERE id = ?`;
    this.#insert = `INSERT INTO ${table} (${blockFrom}, ${columns}) VALUES (?${", ?".repeat(fields.length)})`;
    this.#keep = `INSERT INTO ${historyOf(type)} (${blockFrom}, ${blockTo}, ${columns})
      SELECT ${blockFrom}, ?, ${columns} FROM ${table} WHERE id = ?`;
    const marks = this.#columns.map((column) => `${column} IS NOT ?`).join(", ");
    this.#compare = `SELECT concat(${marks}) FROM ${table} WHERE "vid$" = ?`;
    this.#drop = `DELETE FROM ${table} WHERE "vid$" = ?`;
  }

  find(id: Value): Entity | undefined {
    if (this.#left.size > 0 && this.#left.has(named(id))) return undefined;
    const behind = this.#behind.size > 0 ? this.#behind.get(named(id)) : undefined;
    if (behind !== undefined) return this.#entityOf(behind.cells);
    const [cells] = this.#database.rows(this.#find, encodeCell(this.#id, id));
    return cells === undefined ? undefined : this.#entityOf(cells);
  }

  insert(number: bigint, entity: Entity): void {
    const cells = this.#cellsOf(number, entity);
    const left = this.#left.size > 0 ? taken(this.#left, named(entity.get("id")!)) : undefined;
    if (left === undefined) this.#database.run(this.#insert, ...cells);
    else this.#overwrite(left, cells);
  }

  #cellsOf(number: bigint, entity: Entity): Cell[] {
    const cells: Cell[] = [number];
    for (const field of this.#type.stored) cells.push(encodeCell(field, entity.get(field.name)));
    return cells;
  }

  /** Keeps the version that ends. Fields that stay as they are, and their indexes, are not touched. */
  update(number: bigint, before: Entity, after: Entity): void {
    const id = this.#keepVersion(number, before);
    const behind = this.#behind.size > 0 ? taken(this.#behind, named(before.get("id")!)) : undefined;
    if (behind !== undefined) {
      this.#overwrite(behind.version, this.#cellsOf(number, after));
      return;
    }
    const cells: Cell[] = [number];
    let changed = "";
    for (const field of this.#type.stored) {
      const value = after.get(field.name);
      if (isSameValue(value, before.get(field.name))) continue;
      changed += `, ${quote(field.name)} = ?`;
      cells.push(encodeCell(field, value));
    }
    cells.push(id);
    this.#database.run(`UPDATE ${this.#table} SET ${blockFrom} = ?${changed} WHERE id = ?`, ...cells);
  }

  remove(number: bigint, before: Entity): void {
    const id = this.#keepVersion(number, before);
    this.#behind.delete(named(before.get("id")!));
    this.#database.run(`DELETE FROM ${this.#table} WHERE id = ?`, id);
  }

  /** Writes the version that ends into the history. Gives the id as it is stored. */
  #keepVersion(number: bigint, before: Entity): Cell {
    const value = before.get("id")!;
    const id = encodeCell(this.#id, value);
    const left = this.#leftHistory.size > 0 ? taken(this.#leftHistory, named(value)) : undefined;
    if (left === undefined) this.#database.run(this.#keep, number, id);
    else
      this.#database.run(
        `UPDATE ${historyOf(this.#type)} SET ${blockTo} = ?1 WHERE "vid$" = ?2 AND ${blockTo} <> ?1`,
        number,
        left,
      );
    return id;
  }

  /**
   * Takes back what blocks above `number` did, inside the caller's transaction. Gives the entities that may change again, by
   * their ids as mappings name them: as they are now, undefined when they are gone. The caller has to `settle` before the
   * transaction ends.
   */
  takeBack(number: bigint): Map<string, Entity | undefined> {
    this.settle();
    const changed = new Map<string, Entity | undefined>();
    if (this.#type.isImmutable) {
      if (!this.#leave(number))
        this.#database.run(`DELETE FROM ${this.#table} WHERE ${blockFrom} > ?`, number);
      return changed;
    }
    const isLeft = this.#leaveHistory(number);
    this.#restore(number, changed);
    this.#dropHistory(number, isLeft);
    const rows = this.#database.rows(
      `SELECT id, "vid$" FROM ${this.#table} WHERE ${blockFrom} > ?`,
      number,
    ) as [Cell, bigint][];
    for (const [id, version] of rows) {
      const name = named(decodeCell(this.#id, id));
      if (this.#behind.has(name)) continue;
      changed.set(name, undefined);
      this.#database.run(this.#drop, version);
    }
    if (!isLeft) this.settle();
    return changed;
  }

  /** Removes what is left of blocks that were taken back. */
  settle(): void {
    for (const version of this.#left.values()) this.#database.run(this.#drop, version);
    for (const { version, cells } of this.#behind.values()) this.#overwrite(version, cells);
    for (const version of this.#leftHistory.values())
      this.#database.run(`DELETE FROM ${historyOf(this.#type)} WHERE "vid$" = ?`, version);
    this.forget();
  }

  /** After a transaction was taken back: nothing is left of what it did. */
  forget(): void {
    this.#left.clear();
    this.#leftHistory.clear();
    this.#behind.clear();
  }

  /**
   * Leaves the rows of blocks above `number` where they are: the branch that takes their place has mostly the same
   * transactions, and its rows differ from these in little. False where they are too many.
   */
  #leave(number: bigint): boolean {
    const sql = `SELECT id, "vid$" FROM ${this.#table} WHERE ${blockFrom} > ? LIMIT ? + 0`;
    return this.#leaveRows(this.#left, sql, number);
  }

  /** In the same way: most of what the other branch changed, this one changes too, in the same blocks. */
  #leaveHistory(number: bigint): boolean {
    const history = historyOf(this.#type);
    const sql = `SELECT id, "vid$" FROM ${history} WHERE ${blockTo} > ?1 AND ${blockFrom} <= ?1 LIMIT ?2 + 0`;
    return this.#leaveRows(this.#leftHistory, sql, number);
  }

  #dropHistory(number: bigint, isLeft: boolean): void {
    const gone = `DELETE FROM ${historyOf(this.#type)} WHERE ${blockTo} > ?1`;
    this.#database.run(isLeft ? `${gone} AND ${blockFrom} > ?1` : gone, number);
  }

  #leaveRows(left: Map<string, bigint>, sql: string, number: bigint): boolean {
    const rows = this.#database.rows(sql, number, mostLeft + 1) as [Cell, bigint][];
    if (rows.length > mostLeft) return false;
    for (const [id, version] of rows) left.set(named(decodeCell(this.#id, id)), version);
    return true;
  }

  #overwrite(version: bigint, cells: readonly Cell[]): void {
    const [[differs]] = this.#database.rows(this.#compare, ...cells, version) as [[string]];
    this.#write(version, cells, differs);
  }

  /** Writes the cells that are marked by a 1: columns that stay as they are, and their indexes, are not touched. */
  #write(version: bigint, cells: readonly Cell[], differs: string): void {
    const changed = cells.filter((_, i) => differs[i] === "1");
    if (changed.length === 0) return;
    let sql = this.#writes.get(differs);
    if (sql === undefined) {
      const columns = this.#columns.filter((_, i) => differs[i] === "1");
      sql = `UPDATE ${this.#table} SET ${columns.map((column) => `${column} = ?`).join(", ")} WHERE "vid$" = ?`;
      if (this.#writes.size >= 1_000) this.#writes.clear();
      this.#writes.set(differs, sql);
    }
    this.#database.run(sql, ...changed, version);
  }

  /** Gives entities that were changed or removed the versions back that they had. */
  #restore(number: bigint, changed: Map<string, Entity | undefined>): void {
    const versions = this.#database.rows(
      `SELECT ${this.#columns.map((column) => `h.${column}`).join(", ")}, e."vid$"
       FROM ${historyOf(this.#type)} AS h LEFT JOIN ${this.#table} AS e ON e.id = h.id
       WHERE h.${blockTo} > ? AND h.${blockFrom} <= ?`,
      number,
      number,
    );
    for (const cells of versions) {
      const version = cells.pop() as bigint | null;
      const entity = this.#entityOf(cells);
      const id = named(entity.get("id")!);
      if (version === null) this.#database.run(this.#insert, ...cells);
      else this.#behind.set(id, { version, cells });
      changed.set(id, entity);
    }
  }

  /** The fields of a row that have a value. */
  #entityOf(cells: readonly Cell[]): Entity {
    const entity = new Map<string, Value>();
    for (const [i, field] of this.#type.stored.entries()) {
      const value = decodeCell(field, cells[i + 1]!);
      if (value !== null) entity.set(field.name, value);
    }
    return entity;
  }
}

function taken<T>(left: Map<string, T>, id: string): T | undefined {
  const version = left.get(id);
  left.delete(id);
  return version;
}

/** An id as mappings write it. */
const named = (id: Value): string => (id instanceof Uint8Array ? toHexText(id) : String(id));
