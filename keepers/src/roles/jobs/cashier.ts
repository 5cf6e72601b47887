import type { Address } from "viem";
import { tryCall } from "../storage-node/context.ts";
import type { Duty, JobContext } from "./duty.ts";
import { type Purse, purses } from "./job-metrics.ts";
import type { JobRecord } from "./job-record.ts";

const over: readonly JobRecord["status"][] = ["Finalised", "Expired", "Cancelled", "Failed", "Void"];

export type CashierParts = JobContext & {
  /** Jobs that this keeper has, or had, a part in. */
  jobs(): readonly JobRecord[];
  /** Where the money goes; to the keeper's own account by default. */
  readonly payTo?: Address;
};

/** Fetches what the contracts owe this keeper for jobs that are over, and for checkpoints. */
export class JobCashier implements Duty {
  readonly name = "earnings";
  readonly #parts: CashierParts;
  /** Jobs whose money was fetched, in this process. */
  readonly #done = new Set<string>();
  /** Version of the ledger of which nothing is left to do. */
  #seen: bigint | undefined;

  constructor(parts: CashierParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { ledger } = this.#parts;
    const { version } = ledger;
    if (version === this.#seen) return;
    let isDone = true;
    for (const job of this.#parts.jobs()) {
      const isPaid = job.checkpoints.some(({ paid }) => paid !== undefined);
      if (!over.includes(job.status) && !isPaid) continue;
      // Whatever happens to a job later may bring more.
      const look = `${job.jobId}:${ledger.eventsOf(job.jobId)}`;
      if (this.#done.has(look)) continue;
      for (const purse of purses) isDone = (await this.#withdraw(purse, look)) && isDone;
      if (isDone) this.#done.add(look);
    }
    if (isDone) this.#seen = version;
  }

  /** Says whether nothing is left in a purse. */
  async #withdraw(purse: Purse, look: string): Promise<boolean> {
    const { contracts, operator, payTo = operator, log, metrics } = this.#parts;
    const credit = await contracts[purse].read.creditOf([operator]);
    if (credit === 0n) return true;
    const key = `withdraw:${purse}:${look}`;
    const isPaid =
      purse === "Staking"
        ? await tryCall(this.#parts, key, purse, "withdrawCredit", [payTo])
        : await tryCall(this.#parts, key, purse, "withdraw", [payTo]);
    if (!isPaid) return false;
    metrics.paidOut(purse, credit);
    log.info({ purse, amount: String(credit) }, "paid out");
    return true;
  }
}
