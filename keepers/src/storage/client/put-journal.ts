import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Address, Hex } from "viem";
import type { Schema } from "../state/migrations.ts";
import { openState, type State } from "../state/state.ts";
import { PutInProgressError, StagingError } from "./errors.ts";
import type { KeptReceipt } from "./upload.ts";

/** Steps of a put that are remembered by name. */
export type Fact =
  /** Hash of the staged manifest: encoding is complete. */
  | "manifestHash"
  /** What operators are asked to sign for, as JSON. */
  | "terms"
  /** Seed of the draw of operators, and where it came from. */
  | "seed"
  | "seedSource"
  /** Operators that stalled, with commas between them: they are asked last. */
  | "stalled"
  /** Call data of an anchoring that was begun. */
  | "anchorCall"
  /** Transaction that anchored the dataset. */
  | "anchorTransaction"
  /** All that could be placed was placed and the staged bundles were removed. */
  | "finished";

const schema: Schema = {
  name: "put",
  migrations: [
    `CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
     CREATE TABLE receipts (
       bundle INTEGER PRIMARY KEY,
       operator TEXT NOT NULL,
       valid_until TEXT NOT NULL,
       signature TEXT NOT NULL
     ) STRICT;`,
    // Receipts of before name no term, and the registry takes none of them.
    `DELETE FROM receipts;
     ALTER TABLE receipts ADD COLUMN latest_end INTEGER NOT NULL DEFAULT 0;`,
  ],
};

/** Where a bundle lies in the folder of an upload. */
export function stagedBundlePath(directory: string, bundle: number): string {
  return join(directory, "bundles", `${String(bundle).padStart(5, "0")}.bundle`);
}

/**
 * What one put has already done, in SQLite, so that a killed one goes on where it stopped. The file stays locked as
 * long as the journal is open, and the lock dies with the process: two puts of the same dataset never run at once.
 */
export class PutJournal {
  readonly directory: string;
  readonly #state: State;

  private constructor(directory: string, state: State) {
    this.directory = directory;
    this.#state = state;
  }

  /** @throws PutInProgressError when another process has it open; StagingError, StateError */
  static open(directory: string): PutJournal {
    try {
      mkdirSync(join(directory, "bundles"), { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new StagingError(directory, cause);
    }
    let state: State | undefined;
    try {
      state = openState({ path: join(directory, "put.sqlite"), schemas: [schema], busyTimeout: 100 });
      // In this mode the first write takes the lock, and it is kept until the file is closed or the process dies.
      state.get("PRAGMA locking_mode = EXCLUSIVE");
      state.run("DELETE FROM facts WHERE name = ''");
      return new PutJournal(directory, state);
    } catch (cause) {
      state?.close();
      if (cause instanceof Error && /locked|busy/.test(cause.message)) {
        throw new PutInProgressError(directory, { cause });
      }
      throw cause;
    }
  }

  get manifestPath(): string {
    return join(this.directory, "manifest.json");
  }

  bundlePath(bundle: number): string {
    return stagedBundlePath(this.directory, bundle);
  }

  readBundle(bundle: number): Promise<Uint8Array> {
    return readFile(this.bundlePath(bundle));
  }

  fact(name: Fact): string | undefined {
    const row = this.#state.get("SELECT value FROM facts WHERE name = ?", name);
    return row === undefined ? undefined : String(row.value);
  }

  remember(name: Fact, value: string): void {
    this.#state.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
  }

  forget(name: Fact): void {
    this.#state.run("DELETE FROM facts WHERE name = ?", name);
  }

  receipts(): KeptReceipt[] {
    return this.#state
      .all("SELECT bundle, operator, valid_until, latest_end, signature FROM receipts ORDER BY bundle")
      .map((row) => ({
        bundleIndex: Number(row.bundle),
        operator: String(row.operator) as Address,
        validUntil: BigInt(String(row.valid_until)),
        latestEnd: Number(row.latest_end),
        signature: String(row.signature) as Hex,
      }));
  }

  keepReceipt({ bundleIndex, operator, validUntil, latestEnd, signature }: KeptReceipt): void {
    const sql =
      "INSERT OR REPLACE INTO receipts (bundle, operator, valid_until, latest_end, signature) VALUES (?, ?, ?, ?, ?)";
    this.#state.run(sql, bundleIndex, operator, validUntil.toString(), latestEnd, signature);
  }

  dropReceipt(bundleIndex: number): void {
    this.#state.run("DELETE FROM receipts WHERE bundle = ?", bundleIndex);
  }

  close(): void {
    this.#state.close();
  }
}
