import { type Address, getAddress, type LocalAccount } from "viem";
import type { Contribution } from "../../core/market/contributions.ts";
import type { State } from "../../storage/state/state.ts";
import type { WorkerRecords } from "../../training/cluster/records.ts";

/** What a provider owes the workers of its jobs, and which of them lied. */
export const payrollSchema = {
  name: "payroll",
  migrations: [
    `CREATE TABLE payroll (
       job_id TEXT NOT NULL,
       worker TEXT NOT NULL,
       total TEXT NOT NULL,
       barred INTEGER NOT NULL DEFAULT 0 CHECK (barred IN (0, 1)),
       PRIMARY KEY (job_id, worker)
     ) STRICT;
     CREATE TABLE payroll_vouched (
       job_id TEXT NOT NULL,
       workers TEXT NOT NULL,
       first_step INTEGER NOT NULL,
       PRIMARY KEY (job_id, workers)
     ) STRICT;
     CREATE TABLE payroll_rounds (
       job_id TEXT PRIMARY KEY,
       trained INTEGER NOT NULL DEFAULT 0 CHECK (trained IN (0, 1)),
       closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1))
     ) STRICT;`,
    // What the root of a round is posted over.
    `ALTER TABLE payroll ADD COLUMN settled TEXT;
     ALTER TABLE payroll_rounds ADD COLUMN settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1));`,
  ],
} as const;

/** A round in which workers are paid: open on chain from before the first chunk until everything is settled. */
export type PayRound = { readonly jobId: bigint; readonly trained: boolean };

/** What is asked for again and again while a job trains, and would take a look at many rows. */
type Book = {
  /** Sum of all totals. */
  owed: bigint;
  firstVouched: number | undefined;
  readonly barred: Set<Address>;
  /** Who was barred and is owed nothing, in no row: accounts are free, and there may be any number of them. */
  readonly strangers: Set<Address>;
};

/** Strangers of a job that are remembered: whoever is forgotten is not better off than under a new name. */
const mostStrangers = 10_000;

/** On disk before a worker hears of it: no total that was signed is ever forgotten. */
export class Payroll {
  readonly #state: State;
  /** Of jobs that train, or have. */
  readonly #books = new Map<bigint, Book>();

  constructor(state: State) {
    this.#state = state;
  }

  begin(jobId: bigint): void {
    this.#state.run("INSERT OR IGNORE INTO payroll_rounds (job_id) VALUES (?)", String(jobId));
  }

  /** No more chunks will be paid for. */
  trained(jobId: bigint): void {
    this.#state.run("UPDATE payroll_rounds SET trained = 1 WHERE job_id = ?", String(jobId));
  }

  closed(jobId: bigint): void {
    this.#state.run("UPDATE payroll_rounds SET closed = 1 WHERE job_id = ?", String(jobId));
    this.#books.delete(jobId);
  }

  /** Rounds that are not settled. */
  rounds(): PayRound[] {
    return this.#state
      .all("SELECT job_id, trained FROM payroll_rounds WHERE closed = 0 ORDER BY rowid")
      .map((row) => ({ jobId: BigInt(row.job_id as string), trained: row.trained === 1n }));
  }

  total(jobId: bigint, worker: Address): bigint {
    const row = this.#state.get(
      "SELECT total FROM payroll WHERE job_id = ? AND worker = ?",
      String(jobId),
      getAddress(worker),
    );
    return BigInt((row?.total as string | undefined) ?? 0);
  }

  contributions(jobId: bigint): Contribution[] {
    return this.#state
      .all("SELECT worker, total FROM payroll WHERE job_id = ?", String(jobId))
      .map(({ worker, total }) => ({ worker: worker as Address, total: BigInt(total as string) }));
  }

  /**
   * Fixes what the root of a round is posted over, on disk before it is sent: all totals as they are now. However often that is
   * asked for, in this process or after a kill, they stay what they were the first time; what is added later the root knows
   * nothing of, and demands bring it.
   */
  settle(jobId: bigint): Contribution[] {
    return this.#state.transaction(() => {
      const isFirst = "UPDATE payroll_rounds SET settled = 1 WHERE job_id = ? AND settled = 0";
      if (this.#state.run(isFirst, String(jobId)) > 0) {
        this.#state.run(
          "UPDATE payroll SET settled = total WHERE job_id = ? AND total <> '0'",
          String(jobId),
        );
      }
      return this.settled(jobId) ?? [];
    });
  }

  /** What the root of a round is posted over; undefined before that is fixed. */
  settled(jobId: bigint): Contribution[] | undefined {
    const round = "SELECT 1 FROM payroll_rounds WHERE job_id = ? AND settled = 1";
    if (this.#state.get(round, String(jobId)) === undefined) return undefined;
    return this.#state
      .all("SELECT worker, settled FROM payroll WHERE job_id = ? AND settled IS NOT NULL", String(jobId))
      .map(({ worker, settled }) => ({ worker: worker as Address, total: BigInt(settled as string) }));
  }

  /** What the root of a round is posted over for one worker; undefined when that is nothing, or not fixed. */
  settledFor(jobId: bigint, worker: Address): bigint | undefined {
    const settled = "SELECT settled FROM payroll WHERE job_id = ? AND worker = ?";
    const total = this.#state.get(settled, String(jobId), getAddress(worker))?.settled ?? null;
    return total === null ? undefined : BigInt(total as string);
  }

  /** What all workers of a job are owed. */
  owed(jobId: bigint): bigint {
    return this.#book(jobId).owed;
  }

  isBarred(jobId: bigint, worker: Address): boolean {
    const { barred, strangers } = this.#book(jobId);
    const account = getAddress(worker);
    return barred.has(account) || strangers.has(account);
  }

  bar(jobId: bigint, worker: Address): void {
    const { barred, strangers } = this.#book(jobId);
    const account = getAddress(worker);
    if (this.#bar(jobId, account)) {
      barred.add(account);
      return;
    }
    strangers.add(account);
    if (strangers.size > mostStrangers) strangers.delete(strangers.values().next().value!);
  }

  /**
   * A result is owed for to each of these workers.
   * @param vouchedStep its step, where it counts on their word alone
   */
  add(jobId: bigint, workers: readonly Address[], pay: bigint, vouchedStep: number | undefined): void {
    const book = this.#book(jobId);
    const accounts = workers.map((worker) => getAddress(worker));
    const liars = accounts.filter((account) => book.strangers.has(account));
    this.#state.transaction(() => {
      for (const account of accounts) this.#owe(jobId, account, pay);
      for (const liar of liars) this.#bar(jobId, liar);
      if (vouchedStep === undefined) return;
      this.#state.run(
        `INSERT INTO payroll_vouched (job_id, workers, first_step) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET first_step = MIN(first_step, excluded.first_step)`,
        String(jobId),
        accounts.sort().join(),
        vouchedStep,
      );
    });
    for (const liar of liars) {
      book.strangers.delete(liar);
      book.barred.add(liar);
    }
    book.owed += BigInt(accounts.length) * pay;
    if (vouchedStep !== undefined) {
      book.firstVouched = Math.min(book.firstVouched ?? vouchedStep, vouchedStep);
    }
  }

  /** First step with a result that counts on the word of workers alone, whoever they are; undefined when there is none. */
  firstVouched(jobId: bigint): number | undefined {
    return this.#book(jobId).firstVouched;
  }

  /** First step with a result that counts on the word of barred workers alone; undefined when there is none. */
  tainted(jobId: bigint): number | undefined {
    const steps = this.#suspects(jobId).map(({ step }) => step);
    return steps.length === 0 ? undefined : Math.min(...steps);
  }

  /** Results from this step on that counted on the word of barred workers were computed again. */
  cleared(jobId: bigint, from: number): void {
    const cleared = this.#suspects(jobId).filter(({ step }) => step >= from);
    if (cleared.length === 0) return;
    this.#state.transaction(() => {
      for (const { workers } of cleared) {
        this.#state.run(
          "DELETE FROM payroll_vouched WHERE job_id = ? AND workers = ?",
          String(jobId),
          workers.join(),
        );
      }
    });
    this.#book(jobId).firstVouched = this.#readFirstVouched(jobId);
  }

  /** Nothing from this step on counts any more. */
  rewound(jobId: bigint, step: number): void {
    this.#state.run("DELETE FROM payroll_vouched WHERE job_id = ? AND first_step >= ?", String(jobId), step);
    this.#book(jobId).firstVouched = this.#readFirstVouched(jobId);
  }

  /** What counts on the word of barred workers alone. */
  #suspects(jobId: bigint): { readonly workers: readonly Address[]; readonly step: number }[] {
    const { barred } = this.#book(jobId);
    // Nobody is owed for what counts on its word but who has a row.
    if (barred.size === 0) return [];
    return this.#state
      .all("SELECT workers, first_step FROM payroll_vouched WHERE job_id = ?", String(jobId))
      .map(({ workers, first_step: step }) => {
        return { workers: (workers as string).split(",") as Address[], step: Number(step) };
      })
      .filter(({ workers }) => workers.every((worker) => barred.has(worker)));
  }

  #book(jobId: bigint): Book {
    const known = this.#books.get(jobId);
    if (known !== undefined) return known;
    const barred = "SELECT worker FROM payroll WHERE job_id = ? AND barred = 1";
    const book = {
      owed: this.contributions(jobId).reduce((sum, { total }) => sum + total, 0n),
      firstVouched: this.#readFirstVouched(jobId),
      barred: new Set(this.#state.all(barred, String(jobId)).map(({ worker }) => worker as Address)),
      strangers: new Set<Address>(),
    };
    this.#books.set(jobId, book);
    return book;
  }

  #readFirstVouched(jobId: bigint): number | undefined {
    const vouched = "SELECT MIN(first_step) AS first FROM payroll_vouched WHERE job_id = ?";
    const first = this.#state.get(vouched, String(jobId))?.first ?? null;
    return first === null ? undefined : Number(first);
  }

  /** Says whether there is a row of it, in which it stands. */
  #bar(jobId: bigint, account: Address): boolean {
    const bar = "UPDATE payroll SET barred = 1 WHERE job_id = ? AND worker = ?";
    return this.#state.run(bar, String(jobId), account) > 0;
  }

  #owe(jobId: bigint, account: Address, pay: bigint): void {
    this.#state.run(
      `INSERT INTO payroll (job_id, worker, total) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET total = excluded.total`,
      String(jobId),
      account,
      String(this.total(jobId, account) + pay),
    );
  }
}

/** Countersigns totals. */
export type RewardSigner = Pick<LocalAccount, "signTypedData">;

/** A worker of a cluster: an account, and the peer that works for it. An account may have many peers. */
export function workerKey(account: Address, peer: string): string {
  return `${getAddress(account)}/${peer}`;
}

/** The records of one job, for a cluster. What one peer of an account did counts for all of them. */
export function jobRecords(payroll: Payroll, jobId: bigint, perChunk: bigint): WorkerRecords {
  const account = (worker: string) => worker.slice(0, worker.indexOf("/")) as Address;
  return {
    isBarred: (worker) => payroll.isBarred(jobId, account(worker)),
    bar: (worker) => payroll.bar(jobId, account(worker)),
    accepted: (workers, step, isChecked) =>
      payroll.add(jobId, workers.map(account), perChunk, isChecked ? undefined : step),
    tainted: () => payroll.tainted(jobId),
    cleared: (step) => payroll.cleared(jobId, step),
  };
}
