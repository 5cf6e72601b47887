import { type Address, getAddress, type LocalAccount } from "viem";
import type { Contribution } from "../../core/market/contributions.ts";
import type { Row, State } from "../../storage/state/state.ts";
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
       first_unchecked INTEGER,
       PRIMARY KEY (job_id, worker)
     ) STRICT;
     CREATE TABLE payroll_rounds (
       job_id TEXT PRIMARY KEY,
       trained INTEGER NOT NULL DEFAULT 0 CHECK (trained IN (0, 1)),
       closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1))
     ) STRICT;`,
  ],
} as const;

/** A round in which workers are paid: open on chain from before the first chunk until everything is settled. */
export type PayRound = { readonly jobId: bigint; readonly trained: boolean };

/** On disk before a worker hears of it: no total that was signed is ever forgotten. */
export class Payroll {
  readonly #state: State;

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
  }

  /** Rounds that are not settled. */
  rounds(): PayRound[] {
    return this.#state
      .all("SELECT job_id, trained FROM payroll_rounds WHERE closed = 0 ORDER BY rowid")
      .map((row) => ({ jobId: BigInt(row.job_id as string), trained: row.trained === 1n }));
  }

  total(jobId: bigint, worker: Address): bigint {
    return BigInt((this.#row(jobId, worker)?.total as string | undefined) ?? 0);
  }

  contributions(jobId: bigint): Contribution[] {
    return this.#state
      .all("SELECT worker, total FROM payroll WHERE job_id = ?", String(jobId))
      .map(({ worker, total }) => ({ worker: worker as Address, total: BigInt(total as string) }));
  }

  isBarred(jobId: bigint, worker: Address): boolean {
    return this.#row(jobId, worker)?.barred === 1n;
  }

  bar(jobId: bigint, worker: Address): void {
    this.#change(jobId, worker, "barred = 1");
  }

  firstUnchecked(jobId: bigint, worker: Address): number | undefined {
    const step = this.#row(jobId, worker)?.first_unchecked;
    return typeof step === "bigint" ? Number(step) : undefined;
  }

  add(jobId: bigint, worker: Address, pay: bigint, uncheckedStep: number | undefined): void {
    this.#state.transaction(() => {
      const total = this.total(jobId, worker) + pay;
      this.#change(jobId, worker, "total = ?", String(total));
      if (uncheckedStep === undefined) return;
      const first = this.firstUnchecked(jobId, worker) ?? uncheckedStep;
      this.#change(jobId, worker, "first_unchecked = ?", Math.min(first, uncheckedStep));
    });
  }

  /** First step to which workers that lied contributed unchecked; undefined when there is none. */
  tainted(jobId: bigint): number | undefined {
    const row = this.#state.get(
      "SELECT MIN(first_unchecked) AS step FROM payroll WHERE job_id = ? AND barred = 1",
      String(jobId),
    );
    return typeof row?.step === "bigint" ? Number(row.step) : undefined;
  }

  /** Nothing from this step on counts any more. */
  rewound(jobId: bigint, step: number): void {
    this.#state.run(
      "UPDATE payroll SET first_unchecked = NULL WHERE job_id = ? AND first_unchecked >= ?",
      String(jobId),
      step,
    );
  }

  #row(jobId: bigint, worker: Address): Row | undefined {
    return this.#state.get(
      "SELECT * FROM payroll WHERE job_id = ? AND worker = ?",
      String(jobId),
      getAddress(worker),
    );
  }

  #change(jobId: bigint, worker: Address, change: string, ...values: (string | number)[]): void {
    const key = [String(jobId), getAddress(worker)] as const;
    this.#state.run("INSERT OR IGNORE INTO payroll (job_id, worker, total) VALUES (?, ?, '0')", ...key);
    this.#state.run(`UPDATE payroll SET ${change} WHERE job_id = ? AND worker = ?`, ...values, ...key);
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
    firstUnchecked: (worker) => payroll.firstUnchecked(jobId, account(worker)),
    accepted: (worker, step, checked) =>
      payroll.add(jobId, account(worker), perChunk, checked ? undefined : step),
  };
}
