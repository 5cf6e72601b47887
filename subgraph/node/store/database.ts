import { once } from "node:events";
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { Kept } from "../kept.ts";
import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import type { Cell } from "./columns.ts";
import { columnType } from "./columns.ts";

export type Row = Record<string, Cell>;

/** Names in SQL; those with a `$` are this node's own, which no field of GraphQL can have. */
export const quote = (name: string): string => `"${name}"`;
export const blockFrom = quote("block$from");
export const blockTo = quote("block$to");

/**
 * The cache is 128 MiB: it holds what a long transaction changes, which is written twice otherwise. The log is taken over by
 * `checkpoint`, in another thread.
 */
const pragmas = [
  "journal_mode = WAL",
  "synchronous = NORMAL",
  "cache_size = -131072",
  "wal_autocheckpoint = 0",
  // Once taken over, the log's file is cut to what is written next, where it was not cut at once.
  "journal_size_limit = 0",
  // For the moment in which `checkpoint` cuts it.
  "busy_timeout = 5000",
  "temp_store = MEMORY",
];

/** Who reads alone maps the file: its pages are the kernel's cache, which it takes back when memory is short. */
const readPragmas = [
  "mmap_size = 2147418112",
  "cache_size = -16384",
  "temp_store = MEMORY",
  "busy_timeout = 5000",
];

/** Bytes that kept statements may take in all: queries of clients have no bound number of shapes, nor lengths. */
const statementsKept = 8 * 2 ** 20;
/** What SQLite takes for a statement, measured: so many bytes for each of its characters, and so many besides. */
const bytesPerCharacter = 20;
const bytesPerStatement = 2_048;

/** Number of the tables' form: a file of another one is filled anew. */
const layout = 3;

/** Raised when the file of the database is damaged or belongs to something else; a new one can be filled from the chain. */
export class UnusableDatabaseError extends AssayError {
  override readonly name = "UnusableDatabaseError";
}

/** Raised when another process, or this one, writes to the database already. */
export class DatabaseInUseError extends AssayError {
  override readonly name = "DatabaseInUseError";
}

/** A lock that the system takes back when its process ends, however it ends: a transaction that is never finished, in a file of its own. */
function lockOf(path: string): DatabaseSync {
  const lock = new DatabaseSync(`${path}-lock`);
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    throw new DatabaseInUseError(`the database ${path} is written to by another process`, {
      cause,
      next: "Stop the other node, or give this one a folder of its own (--home).",
    });
  }
}

/** Where the versions of a type's entities are that no longer hold. */
export const historyOf = ({ name }: EntityType): string => quote(`${name}$history`);

/** Longest text that an index holds; longer ones are found by reading rows. */
export const indexedText = 64;

const isText = ({ scalar, entity, enumeration }: FieldType): boolean =>
  scalar === "String" && entity === undefined && enumeration === undefined;

function indexOf(type: EntityType, field: FieldType): string {
  const column = quote(field.name);
  const index = `CREATE INDEX ${quote(`${type.name}$by_${field.name}`)} ON ${quote(type.name)} (${column}, id)`;
  if (isText(field)) return `${index} WHERE length(${column}) <= ${indexedText}`;
  // Most entities refer to few of what they could refer to.
  return field.entity !== undefined && !field.isRequired ? `${index} WHERE ${column} IS NOT NULL` : index;
}

/**
 * Entities as they are now, and their earlier versions apart: a change then touches the indexes of the fields that it
 * changes, and queries of the newest block never read past what is over.
 */
function* entityTable(type: EntityType): Generator<string> {
  const { name, stored, isImmutable } = type;
  const columns = stored
    .map((field) => `${quote(field.name)} ${columnType(field)}${field.isRequired ? " NOT NULL" : ""}`)
    .join(", ");
  const index = (suffix: string) => quote(`${name}$${suffix}`);
  yield `CREATE TABLE ${quote(name)} ("vid$" INTEGER PRIMARY KEY, ${blockFrom} INTEGER NOT NULL, ${columns}) STRICT`;
  yield `CREATE UNIQUE INDEX ${index("id")} ON ${quote(name)} (id)`;
  yield `CREATE INDEX ${index("from")} ON ${quote(name)} (${blockFrom})`;
  for (const field of stored) if (field.name !== "id" && !field.isList) yield indexOf(type, field);
  if (isImmutable) return;
  yield `CREATE TABLE ${historyOf(type)} ("vid$" INTEGER PRIMARY KEY, ${blockFrom} INTEGER NOT NULL,
    ${blockTo} INTEGER NOT NULL, ${columns}) STRICT`;
  yield `CREATE INDEX ${index("history_id")} ON ${historyOf(type)} (id, ${blockFrom})`;
  yield `CREATE INDEX ${index("history_to")} ON ${historyOf(type)} (${blockTo})`;
}

const ownTables = [
  `CREATE TABLE "blocks$" (
     number INTEGER PRIMARY KEY, hash TEXT NOT NULL, parent TEXT NOT NULL, timestamp INTEGER NOT NULL,
     proof BLOB NOT NULL) STRICT`,
  `CREATE TABLE "meta$" (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID`,
];

const identityOf = (identity: string): string => `${identity}/${layout}`;

/** SQLite with prepared statements kept by their text. Integers come as `bigint`. */
export class Database {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #lock: DatabaseSync | undefined;
  readonly #statements = new Kept<StatementSync>(statementsKept);
  /** Those whose rows are lists of cells. */
  readonly #lists = new Kept<StatementSync>(statementsKept);
  /** Whether the log has what is nowhere else. */
  #isLogged = true;
  #checkpoint: Promise<void> | undefined;

  private constructor(database: DatabaseSync, path: string, lock?: DatabaseSync) {
    this.#database = database;
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * Opens the file, or makes it when there is none. `identity` says what is indexed; a file of anything else, or one that is
   * damaged, throws `UnusableDatabaseError`, one that is written to already `DatabaseInUseError`.
   */
  static open(path: string, schema: EntitySchema, identity: string): Database {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
    const lock = path === ":memory:" ? undefined : lockOf(path);
    const handle = new DatabaseSync(path, { readBigInts: true });
    try {
      // A power cut may take the last blocks back, which are read from the chain again; it never leaves half of one.
      for (const pragma of pragmas) handle.exec(`PRAGMA ${pragma}`);
      if (handle.prepare("PRAGMA quick_check(1)").get()?.quick_check !== "ok")
        throw new Error("it is malformed");
      const database = new Database(handle, path, lock);
      const isNew = handle.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n === 0n;
      if (isNew) database.#create(schema, identity);
      else if (database.meta("identity") !== identityOf(identity))
        throw new Error("it holds another subgraph or chain");
      return database;
    } catch (cause) {
      handle.close();
      lock?.close();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UnusableDatabaseError(`the database ${path} cannot be used: ${reason}`, { cause });
    }
  }

  /** As `open`; an unusable file is moved aside (its new name is returned) and a fresh one begun. */
  static openOrRebuild(
    path: string,
    schema: EntitySchema,
    identity: string,
  ): { database: Database; movedTo?: string } {
    try {
      return { database: Database.open(path, schema, identity) };
    } catch (error) {
      if (!(error instanceof UnusableDatabaseError) || path === ":memory:") throw error;
      const movedTo = `${path}.unusable`;
      renameSync(path, movedTo);
      for (const part of ["-wal", "-shm"]) rmSync(path + part, { force: true });
      return { database: Database.open(path, schema, identity), movedTo };
    }
  }

  /** A connection beside the one that writes: it sees what was committed. */
  static openToRead(path: string): Database {
    const handle = new DatabaseSync(path, { readBigInts: true, readOnly: true });
    for (const pragma of readPragmas) handle.exec(`PRAGMA ${pragma}`);
    return new Database(handle, path);
  }

  get(sql: string, ...cells: Cell[]): Row | undefined {
    return this.#prepare(sql).get(...cells) as Row | undefined;
  }

  all(sql: string, ...cells: Cell[]): Row[] {
    return this.#prepare(sql).all(...cells) as Row[];
  }

  /** As `all`, each row as its cells in the order of the columns: faster where there are many. */
  rows(sql: string, ...cells: Cell[]): Cell[][] {
    let statement = this.#lists.get(sql);
    if (statement === undefined) {
      statement = this.#kept(this.#lists, sql);
      statement.setReturnArrays(true);
    }
    return statement.all(...cells) as unknown as Cell[][];
  }

  run(sql: string, ...cells: Cell[]): number {
    return Number(this.#prepare(sql).run(...cells).changes);
  }

  meta(key: string): string | undefined {
    return this.get(`SELECT value FROM "meta$" WHERE key = ?`, key)?.value as string | undefined;
  }

  /** `undefined` takes it away. */
  setMeta(key: string, value: string | undefined): void {
    if (value === undefined) this.run(`DELETE FROM "meta$" WHERE key = ?`, key);
    else this.run(`INSERT OR REPLACE INTO "meta$" (key, value) VALUES (?, ?)`, key, value);
  }

  /** A function for use in SQL; it must depend on its arguments alone. */
  define(name: string, compute: (...cells: Cell[]) => Cell): void {
    this.#database.function(name, { deterministic: true, varargs: true }, compute);
  }

  /** All of `work` happens, or none of it. `work` must be synchronous. */
  transaction<T>(work: () => T): T {
    this.begin();
    try {
      const result = work();
      this.commit();
      return result;
    } catch (error) {
      this.rollBack();
      throw error;
    }
  }

  /** All that `work` reads is of one state. `work` must be synchronous. */
  read<T>(work: () => T): T {
    this.run("BEGIN");
    try {
      return work();
    } finally {
      this.run("ROLLBACK");
    }
  }

  begin(): void {
    this.#database.exec("BEGIN IMMEDIATE");
  }

  commit(): void {
    this.#database.exec("COMMIT");
    this.#isLogged = true;
  }

  /** Takes back what happened since `begin`. */
  rollBack(): void {
    this.#database.exec("ROLLBACK");
  }

  /**
   * Takes the log over into the tables' pages once it has so many bytes. A thread does it: nobody here waits for the disk but
   * who awaits this. What is committed meanwhile stays in the log.
   */
  async checkpoint(bytes: number): Promise<void> {
    this.#checkpoint ??= this.#takeLogOver(bytes).finally(() => {
      this.#checkpoint = undefined;
    });
    await this.#checkpoint;
  }

  async #takeLogOver(bytes: number): Promise<void> {
    const size = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (!this.#isLogged || size < bytes) return;
    this.#isLogged = false;
    const thread = new Worker(new URL("./checkpoint.ts", import.meta.url), { workerData: this.#path });
    await once(thread, "exit");
  }

  close(): void {
    this.#database.close();
    this.#lock?.close();
  }

  #create(schema: EntitySchema, identity: string): void {
    this.transaction(() => {
      for (const sql of ownTables) this.#database.exec(sql);
      for (const type of schema.entities.values())
        for (const sql of entityTable(type)) this.#database.exec(sql);
      this.setMeta("identity", identityOf(identity));
    });
  }

  #prepare(sql: string): StatementSync {
    return this.#statements.get(sql) ?? this.#kept(this.#statements, sql);
  }

  #kept(statements: Kept<StatementSync>, sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statements.set(sql, statement, sql.length * bytesPerCharacter + bytesPerStatement);
    return statement;
  }
}
