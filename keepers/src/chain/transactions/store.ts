import type { Address, Hex } from "viem";
import type { Schema } from "../../storage/state/migrations.ts";
import type { Row, State } from "../../storage/state/state.ts";
import type { Fees } from "./fees.ts";
import { freeNonce, mostFillers } from "./machine.ts";

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
    `ALTER TABLE intents ADD COLUMN block_number INTEGER;
     ALTER TABLE intents ADD COLUMN block_hash TEXT;
     ALTER TABLE intents ADD COLUMN final INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE intents ADD COLUMN unwanted INTEGER NOT NULL DEFAULT 0;
     UPDATE intents SET final = 1 WHERE status <> 'pending';
     DROP INDEX intents_by_nonce;
     CREATE INDEX intents_by_nonce ON intents (chain, account, final, nonce);
     CREATE INDEX attempts_by_nonce ON attempts (chain, account, nonce)`,
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
  /** Hash of the attempt that was mined, and its block. */
  hash: Hex | undefined;
  blockNumber: bigint | undefined;
  blockHash: Hex | undefined;
  /** Nothing can change it any more. */
  isFinal: boolean;
  /** Nodes have refused it: what was signed is to be made void. */
  isUnwanted: boolean;
  /** It only uses a nonce up. */
  isFiller: boolean;
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

/** Keys of intents that only use a nonce up. */
const fillerPrefix = "gap:";

const intentOf = (row: Row): StoredIntent => ({
  key: row.key as string,
  to: row.recipient as Address,
  data: row.data as Hex,
  value: BigInt(row.value as string),
  gas: BigInt(row.gas as string),
  nonce: Number(row.nonce),
  status: row.status as StoredIntent["status"],
  hash: (row.hash as Hex | null) ?? undefined,
  blockNumber: (row.block_number as bigint | null) ?? undefined,
  blockHash: (row.block_hash as Hex | null) ?? undefined,
  isFinal: row.final === 1n,
  isUnwanted: row.unwanted === 1n,
  isFiller: (row.key as string).startsWith(fillerPrefix),
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

  /** Intents that are not final, lowest nonce first. */
  live(): StoredIntent[] {
    return this.#state
      .all(
        "SELECT * FROM intents WHERE chain = ? AND account = ? AND final = 0 ORDER BY nonce",
        this.#chain,
        this.#account,
      )
      .map(intentOf);
  }

  /** The highest nonce that the account has next if nobody else uses many: those that are not in the chain are after those that are. */
  likelyNonce(): number {
    const row = this.#state.get(
      "SELECT max(nonce) AS used FROM intents WHERE chain = ? AND account = ? AND status <> 'pending'",
      this.#chain,
      this.#account,
    );
    return Number(row?.used ?? -1) + 1 + mostFillers + this.#held().length;
  }

  /** The intent that a transaction was signed for; undefined when it is not of this queue. */
  keyOf(hash: Hex): string | undefined {
    const row = this.#state.get(
      "SELECT key FROM attempts WHERE chain = ? AND account = ? AND hash = ?",
      this.#chain,
      this.#account,
      hash,
    );
    return row?.key as string | undefined;
  }

  /** Fees of the dearest transaction that was signed for a nonce, whatever it was for. */
  feesAt(nonce: number): Fees | undefined {
    const dearest = this.#state
      .all(
        "SELECT * FROM attempts WHERE chain = ? AND account = ? AND nonce = ?",
        this.#chain,
        this.#account,
        nonce,
      )
      .map(attemptOf)
      .sort((a, b) => (a.maxFeePerGas < b.maxFeePerGas ? 1 : -1));
    return dearest[0];
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
   * Records an intent under the first nonce that is free. One that has failed under its key is put by, under a key of its
   * own: its nonce stays used.
   */
  assign(intent: NewIntent, counts: Counts): StoredIntent {
    return this.#state.transaction(() => {
      const before = this.find(intent.key);
      if (before?.status === "failed") this.#putBy(before);
      return this.assignAt(intent, this.#freeNonce(counts), before?.failures);
    });
  }

  /** Records an intent that uses a nonce up; none when the nonce is held already. */
  addFiller(nonce: number, call: Pick<StoredIntent, "to" | "gas">): StoredIntent | undefined {
    return this.#state.transaction(() => {
      const key = `${fillerPrefix}${nonce}`;
      if (this.#held().includes(nonce) || this.find(key) !== undefined) return undefined;
      return this.assignAt({ ...call, key, data: "0x", value: 0n }, nonce);
    });
  }

  assignAt(intent: NewIntent, nonce: number, failures = 0): StoredIntent {
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

  /** Gives an intent all of whose transactions are void a new nonce. */
  renumber(key: string, counts: Counts): void {
    this.#state.transaction(() => this.#setNonce(key, this.#freeNonce(counts)));
  }

  /** Gives intents lower nonces, and holds the ones they had with fillers, where transactions are signed for them. */
  moveDown(nonces: readonly (readonly [string, number])[], filler: Pick<StoredIntent, "to" | "gas">): void {
    this.#state.transaction(() => {
      const left = nonces.map(([key]) => this.find(key)!.nonce);
      for (const [key, nonce] of nonces) this.#setNonce(key, nonce);
      for (const nonce of left) if (this.feesAt(nonce) !== undefined) this.addFiller(nonce, filler);
    });
  }

  #setNonce(key: string, nonce: number): void {
    this.#state.run(
      "UPDATE intents SET nonce = ? WHERE chain = ? AND account = ? AND key = ?",
      nonce,
      this.#chain,
      this.#account,
      key,
    );
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
    outcome: Pick<StoredIntent, "status" | "hash" | "blockNumber" | "blockHash" | "isFinal"> &
      Partial<Pick<StoredIntent, "reason" | "errorName">>,
  ): void {
    this.#state.run(
      `UPDATE intents SET status = ?, hash = ?, block_number = ?, block_hash = ?, final = ?, reason = ?,
         error_name = ?, failures = failures + ?
       WHERE chain = ? AND account = ? AND key = ? AND status = 'pending'`,
      outcome.status,
      outcome.hash ?? null,
      outcome.blockNumber ?? null,
      outcome.blockHash ?? null,
      outcome.isFinal ? 1 : 0,
      outcome.reason ?? null,
      outcome.errorName ?? null,
      outcome.status === "failed" ? 1 : 0,
      this.#chain,
      this.#account,
      key,
    );
  }

  /** Nothing can change what became of it any more. */
  finish(key: string): void {
    this.#state.run(
      "UPDATE intents SET final = 1 WHERE chain = ? AND account = ? AND key = ? AND status <> 'pending'",
      this.#chain,
      this.#account,
      key,
    );
  }

  /** The block that held it is gone: it is pending again. */
  reopen(key: string): void {
    this.#state.run(
      `UPDATE intents SET failures = failures - (status = 'failed'), status = 'pending', hash = NULL,
         block_number = NULL, block_hash = NULL, reason = NULL, error_name = NULL
       WHERE chain = ? AND account = ? AND key = ? AND final = 0`,
      this.#chain,
      this.#account,
      key,
    );
  }

  setUnwanted(key: string, isUnwanted: boolean): void {
    this.#state.run(
      "UPDATE intents SET unwanted = ? WHERE chain = ? AND account = ? AND key = ?",
      isUnwanted ? 1 : 0,
      this.#chain,
      this.#account,
      key,
    );
  }

  /** Forgets a filler whose nonce something else has used. */
  drop(key: string): void {
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

  #held(): number[] {
    return this.#state
      .all(
        "SELECT nonce FROM intents WHERE chain = ? AND account = ? AND final = 0",
        this.#chain,
        this.#account,
      )
      .map(({ nonce }) => Number(nonce));
  }

  #freeNonce({ counted, pooled }: Counts): number {
    return freeNonce(counted, pooled, this.#held());
  }
}

type NewIntent = Pick<StoredIntent, "key" | "to" | "data" | "value" | "gas">;
/** The account's next nonce, in the chain and with what waits in pools. */
type Counts = { counted: number; pooled: number };
