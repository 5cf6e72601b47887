import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { StateError } from "./errors.ts";
import { migrate, type Schema } from "./migrations.ts";

export type SqlValue = string | number | bigint | Uint8Array | null;
/** A result row. Integers come as `bigint`, so that no 64-bit value loses bits. */
export type Row = Record<string, SqlValue>;

export type OpenStateOptions = {
  /** File of the database, or ":memory:". */
  path: string;
  /** Tables of the parts that use this state. */
  schemas?: readonly Schema[];
  /** How long to wait for another process that writes, in milliseconds. */
  busyTimeout?: number;
};

/**
 * The keeper's local state: one SQLite file in WAL mode. Everything that is committed survives a kill or a power cut,
 * nothing that was not committed is ever seen.
 */
export type State = {
  readonly path: string;
  /** Runs a statement that returns no rows; gives the number of changed rows. */
  run(sql: string, ...values: SqlValue[]): number;
  /** First row, or undefined. */
  get(sql: string, ...values: SqlValue[]): Row | undefined;
  all(sql: string, ...values: SqlValue[]): Row[];
  /**
   * Runs `work` in one write transaction: all of it happens, or none. `work` must be synchronous (an awaited promise
   * would let other code write into the same transaction) and may nest.
   */
  transaction<T>(work: () => T): T;
  /** Folds the write-ahead log back into the file and closes it; further use throws. */
  close(): void;
};

const wrap = (path: string, cause: unknown): StateError => {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const damaged = /malformed|not a database|corrupt/i.test(reason);
  return new StateError(`the state in ${path} cannot be used: ${reason}`, {
    kept: "the file was left as it is",
    next: damaged
      ? "restore it from a backup into another folder (`assay keeper restore`); keep this one: parts of it may be readable"
      : "check that the folder exists, is writable and has free space",
    cause,
  });
};

function openDatabase(path: string, busyTimeout: number): DatabaseSync {
  const isNew = path === ":memory:" || prepareFile(path);
  const database = new DatabaseSync(path, { timeout: busyTimeout, readBigInts: true });
  try {
    // So that what strangers have had written can be given back to the disk. A file that has tables would need to be copied.
    if (isNew) database.exec("PRAGMA auto_vacuum = INCREMENTAL");
    database.exec("PRAGMA journal_mode = WAL");
    // Nonces must not be forgotten once a transaction is on its way, not even in a power cut.
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    database.exec("PRAGMA trusted_schema = OFF");
    const faults = database.prepare("PRAGMA integrity_check(1)").all();
    const verdict = faults[0]?.integrity_check;
    if (verdict !== "ok") throw new Error(`database disk image is malformed (${String(verdict)})`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The state holds secrets: bid salts, beacon secrets. SQLite gives its other files the rights of this one.
 * @returns whether nothing is in it yet
 */
function prepareFile(path: string): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  return statSync(path).size === 0;
}

/** Opens the state, creating or migrating it; throws `StateError` when it is damaged, locked or too new. */
export function openState({ path, schemas = [], busyTimeout = 5_000 }: OpenStateOptions): State {
  let database: DatabaseSync;
  try {
    database = openDatabase(path, busyTimeout);
  } catch (cause) {
    throw wrap(path, cause);
  }

  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };

  let depth = 0;
  const transaction = <T>(work: () => T): T => {
    const name = `nested_${depth}`;
    // IMMEDIATE takes the write lock at once: what is read inside cannot be changed by another process.
    database.exec(depth === 0 ? "BEGIN IMMEDIATE" : `SAVEPOINT ${name}`);
    depth++;
    try {
      const result = work();
      if (result instanceof Promise) throw new TypeError("a transaction must be synchronous");
      database.exec(depth === 1 ? "COMMIT" : `RELEASE ${name}`);
      return result;
    } catch (error) {
      // A full disk makes SQLite roll back by itself; a second ROLLBACK would hide the cause.
      if (database.isTransaction) {
        database.exec(depth === 1 ? "ROLLBACK" : `ROLLBACK TO ${name}; RELEASE ${name}`);
      }
      throw error;
    } finally {
      depth--;
    }
  };

  try {
    transaction(() => migrate(database, schemas));
  } catch (cause) {
    database.close();
    throw cause instanceof StateError ? cause : wrap(path, cause);
  }

  return {
    path,
    run: (sql, ...values) => Number(prepare(sql).run(...(values as SQLInputValue[])).changes),
    get: (sql, ...values) => prepare(sql).get(...(values as SQLInputValue[])) as Row | undefined,
    all: (sql, ...values) => prepare(sql).all(...(values as SQLInputValue[])) as Row[],
    transaction,
    close: () => database.close(),
  };
}
