import type { Address, Hex } from "viem";
import type { Schema } from "../../storage/state/migrations.ts";
import type { Row, State } from "../../storage/state/state.ts";
import type { Fees } from "./fees.ts";

/** Tables of the transaction queues. Amounts are decimal text: they do not fit SQLite's 64-bit integers. */
export const transactionSchema: Schema = {
  name: "transactions",
  migrations: [
    `CREATE TABLE intents (
       chain INTEGER NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL,
       recipient TEXT NOT NULL, data TEXT NOT NULL, value TEXT NOT NULL, gas TEXT NOT NULL,
       nonce INTEGER NOT NULL,
       status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'mined', 'failed')),
       hash TEXT, reason TEXT, error_name TEXT,
       PRIMARY KEY (chain, account, key)
     ) STRICT;
     CREATE INDEX intents_by_nonce ON intents (chain, account, status, nonce);
     CREATE TABLE attempts (
       hash TEXT PRIMARY KEY,
       chain INTEGER NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL,
       nonce INTEGER NOT NULL, raw TEXT NOT NULL,
       max_fee TEXT NOT NULL, priority_fee TEXT NOT NULL,
       cancels INTEGER NOT NULL, made_at INTEGER NOT NULL, made_at_block INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX attempts_by_intent ON attempts (chain, account, key)`,
    "ALTER TABLE intents ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
  ],
};

/** What the queue was asked to do, once. */
export type StoredIntent = {
  key: string;
  to: Address;
  data: Hex;
  value: bigint;
  gas: bigint;
  nonce: number;
  status: "pending" | "mined" | "failed";
  /** Hash of the attempt that was mined. */
  hash: Hex | undefined;
  reason: string | undefined;
  errorName: string | undefined;
  /** Transactions that were sent for it in vain. */
  failures: number;
};

/** One signed transaction for an intent; it is on record before it is sent. */
export type Attempt = Fees & {
  hash: Hex;
  nonce: number;
  raw: Hex;
  /** Whether it only uses the nonce up, instead of carrying the intent out. */
  cancels: boolean;
  /** Milliseconds of the queue's clock. */
  madeAt: number;
  madeAtBlock: bigint;
};

const intentOf = (row: Row): StoredIntent => ({
  key: row.key as string,
  to: row.recipient as Address,
  data: row.data as Hex,
  value: BigInt(row.value as string),
  gas: BigInt(row.gas as string),
  nonce: Number(row.nonce),
  status: row.status as StoredIntent["status"],
  hash: (row.hash as Hex | null) ?? undefined,
  reason: (row.reason as string | null) ?? undefined,
  errorName: (row.error_name as string | null) ?? undefined,
  failures: Number(row.failures),
});

const attemptOf = (row: Row): Attempt => ({
  hash: row.hash as Hex,
  nonce: Number(row.nonce),
  raw: row.raw as Hex,
  maxFeePerGas: BigInt(row.max_fee as string),
  maxPriorityFeePerGas: BigInt(row.priority_fee as string),
  cancels: row.cancels === 1n,
  madeAt: Number(row.made_at),
  madeAtBlock: row.made_at_block as bigint,
});

/** One account's queue on one chain, as it is on disk. */
export class TransactionStore {
  readonly #state: State;
  readonly #chain: number;
  readonly #account: string;

  constructor(state: State, chain: number, account: Address) {
    this.#state = state;
    this.#chain = chain;
    this.#account = account.toLowerCase();
  }

  find(key: string): StoredIntent | undefined {
    const row = this.#state.get(
      "SELECT * FROM intents WHERE chain = ? AND account = ? AND key = ?",
      this.#chain,
      this.#account,
      key,
    );
    return row && intentOf(row);
  }

  /** Intents that are not settled, lowest nonce first. */
  pending(): StoredIntent[] {
    return this.#state
      .all(
        "SELECT * FROM intents WHERE chain = ? AND account = ? AND status = 'pending' ORDER BY nonce",
        this.#chain,
        this.#account,
      )
      .map(intentOf);
  }

  /** Attempts for an intent, newest first. */
  attempts(key: string): Attempt[] {
    return this.#state
      .all(
        "SELECT * FROM attempts WHERE chain = ? AND account = ? AND key = ? ORDER BY rowid DESC",
        this.#chain,
        this.#account,
        key,
      )
      .map(attemptOf);
  }

  /**
   * Records an intent under the first nonce that neither the chain nor this queue has used. One that has failed under its
   * key is put by, under a key of its own: its nonce stays used.
   */
  assign(
    intent: Pick<StoredIntent, "key" | "to" | "data" | "value" | "gas">,
    chainNonce: number,
  ): StoredIntent {
    return this.#state.transaction(() => {
      const nonce = this.#nextNonce(chainNonce);
      const before = this.find(intent.key);
      if (before?.status === "failed") this.#putBy(before);
      return this.assignAt(intent, nonce, before?.failures);
    });
  }

  assignAt(
    intent: Pick<StoredIntent, "key" | "to" | "data" | "value" | "gas">,
    nonce: number,
    failures = 0,
  ): StoredIntent {
    const { key, to, data, value, gas } = intent;
    this.#state.run(
      `INSERT INTO intents (chain, account, key, recipient, data, value, gas, nonce, failures)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      this.#chain,
      this.#account,
      key,
      to,
      data,
      value.toString(),
      gas.toString(),
      nonce,
      failures,
    );
    return this.find(key)!;
  }

  #putBy({ key, nonce }: StoredIntent): void {
    for (const table of ["attempts", "intents"]) {
      this.#state.run(
        `UPDATE ${table} SET key = ? WHERE chain = ? AND account = ? AND key = ?`,
        `${key} (failed, nonce ${nonce})`,
        this.#chain,
        this.#account,
        key,
      );
    }
  }

  /** Gives an intent whose nonce somebody else has used a new one. */
  reassign(key: string, chainNonce: number): void {
    this.#state.transaction(() => {
      this.#state.run(
        "UPDATE intents SET nonce = ? WHERE chain = ? AND account = ? AND key = ?",
        this.#nextNonce(chainNonce),
        this.#chain,
        this.#account,
        key,
      );
    });
  }

  addAttempt(key: string, attempt: Attempt): void {
    this.#state.run(
      "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      attempt.hash,
      this.#chain,
      this.#account,
      key,
      attempt.nonce,
      attempt.raw,
      attempt.maxFeePerGas.toString(),
      attempt.maxPriorityFeePerGas.toString(),
      attempt.cancels ? 1 : 0,
      Math.floor(attempt.madeAt),
      attempt.madeAtBlock,
    );
  }

  settle(
    key: string,
    outcome: { status: "mined" | "failed"; hash: Hex; reason?: string; errorName?: string },
  ): void {
    this.#state.run(
      `UPDATE intents SET status = ?, hash = ?, reason = ?, error_name = ?, failures = failures + ?
       WHERE chain = ? AND account = ? AND key = ?`,
      outcome.status,
      outcome.hash,
      outcome.reason ?? null,
      outcome.errorName ?? null,
      outcome.status === "failed" ? 1 : 0,
      this.#chain,
      this.#account,
      key,
    );
  }

  /** Forgets an intent that no node has taken: its nonce is free again. */
  release(key: string): void {
    this.#state.transaction(() => {
      for (const table of ["attempts", "intents"]) {
        this.#state.run(
          `DELETE FROM ${table} WHERE chain = ? AND account = ? AND key = ?`,
          this.#chain,
          this.#account,
          key,
        );
      }
    });
  }

  #nextNonce(chainNonce: number): number {
    const row = this.#state.get(
      "SELECT max(nonce) AS last FROM intents WHERE chain = ? AND account = ?",
      this.#chain,
      this.#account,
    );
    const last = row?.last as bigint | null;
    return Math.max(chainNonce, last === null ? 0 : Number(last) + 1);
  }
}
