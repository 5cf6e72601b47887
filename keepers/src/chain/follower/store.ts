import { type Address, getAddress, type Hex } from "viem";
import { AssayError, exitCode } from "../../core/errors.ts";
import type { Schema } from "../../storage/state/migrations.ts";
import type { State } from "../../storage/state/state.ts";
import type { MinedLog } from "./logs.ts";

/** Tables of the followers: where each stands, and what it would have to take back. */
export const followerSchema: Schema = {
  name: "follower",
  migrations: [
    `CREATE TABLE follower_cursors (
       name TEXT PRIMARY KEY, chain INTEGER NOT NULL, number INTEGER NOT NULL, hash TEXT
     ) STRICT;
     CREATE TABLE follower_blocks (
       name TEXT NOT NULL, number INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (name, number)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE follower_logs (
       name TEXT NOT NULL, number INTEGER NOT NULL, log_index INTEGER NOT NULL, log TEXT NOT NULL,
       PRIMARY KEY (name, number, log_index)
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** A block that was followed to its end. `hash` is undefined only before the first one. */
export type Cursor = { number: bigint; hash: Hex | undefined };
export type KnownBlock = { number: bigint; hash: Hex };

type StoredLog = Omit<MinedLog, "blockNumber" | "removed"> & { blockNumber: string };

const toText = (log: MinedLog): string =>
  JSON.stringify({
    address: log.address,
    topics: log.topics,
    data: log.data,
    blockNumber: log.blockNumber.toString(),
    blockHash: log.blockHash,
    transactionHash: log.transactionHash,
    transactionIndex: log.transactionIndex,
    logIndex: log.logIndex,
  } satisfies Partial<StoredLog>);

function fromText(text: string): MinedLog {
  const stored = JSON.parse(text) as StoredLog;
  return {
    ...stored,
    address: getAddress(stored.address) as Address,
    blockNumber: BigInt(stored.blockNumber),
    removed: true,
  } as MinedLog;
}

/** One follower's memory. Every method must run inside the transaction that it belongs to. */
export class FollowerStore {
  readonly #state: State;
  readonly #name: string;

  constructor(state: State, name: string) {
    this.#state = state;
    this.#name = name;
  }

  /** Where this follower stands; undefined before its first step. Throws when it followed another chain. */
  cursor(chainId: number): Cursor | undefined {
    const row = this.#state.get("SELECT * FROM follower_cursors WHERE name = ?", this.#name);
    if (row === undefined) return undefined;
    if (Number(row.chain) !== chainId) {
      throw new AssayError(`the local state belongs to chain ${row.chain}, not ${chainId}`, {
        next: "use a state folder of its own for each chain",
        exitCode: exitCode.configuration,
      });
    }
    return { number: row.number as bigint, hash: (row.hash as Hex | null) ?? undefined };
  }

  setCursor(chainId: number, { number, hash }: Cursor): void {
    this.#state.run(
      `INSERT INTO follower_cursors (name, chain, number, hash) VALUES (?, ?, ?, ?) ON CONFLICT (name)
       DO UPDATE SET chain = excluded.chain, number = excluded.number, hash = excluded.hash`,
      this.#name,
      chainId,
      number,
      hash ?? null,
    );
  }

  hashOf(number: bigint): Hex | undefined {
    const row = this.#state.get(
      "SELECT hash FROM follower_blocks WHERE name = ? AND number = ?",
      this.#name,
      number,
    );
    return row?.hash as Hex | undefined;
  }

  /** Known blocks up to `number`, newest first. */
  blocksDownFrom(number: bigint): KnownBlock[] {
    return this.#state.all(
      "SELECT number, hash FROM follower_blocks WHERE name = ? AND number <= ? ORDER BY number DESC",
      this.#name,
      number,
    ) as KnownBlock[];
  }

  addBlock({ number, hash }: KnownBlock): void {
    this.#state.run("INSERT INTO follower_blocks VALUES (?, ?, ?)", this.#name, number, hash);
  }

  addLog(log: MinedLog): void {
    this.#state.run(
      "INSERT INTO follower_logs VALUES (?, ?, ?, ?)",
      this.#name,
      log.blockNumber,
      log.logIndex,
      toText(log),
    );
  }

  /** Logs above `number`, newest first: the order in which they have to be taken back. */
  logsAbove(number: bigint): MinedLog[] {
    const rows = this.#state.all(
      "SELECT log FROM follower_logs WHERE name = ? AND number > ? ORDER BY number DESC, log_index DESC",
      this.#name,
      number,
    );
    return rows.map(({ log }) => fromText(log as string));
  }

  forgetAbove(number: bigint): void {
    for (const table of ["follower_blocks", "follower_logs"]) {
      this.#state.run(`DELETE FROM ${table} WHERE name = ? AND number > ?`, this.#name, number);
    }
  }

  /** All below the newest known block that is no higher than `number`: to that one everything above can be taken back. */
  forgetBelow(number: bigint): void {
    const [oldest] = this.blocksDownFrom(number);
    if (oldest === undefined) return;
    for (const table of ["follower_blocks", "follower_logs"]) {
      this.#state.run(`DELETE FROM ${table} WHERE name = ? AND number < ?`, this.#name, oldest.number);
    }
  }
}
