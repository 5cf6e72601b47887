import { randomUUID } from "node:crypto";
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
  /** Milliseconds between looks when nothing happens to its jobs; 600,000 by default. */
  readonly lookEvery?: number;
};

/** Milliseconds after which purses are looked at although nothing has happened to a job: not all that fills them is about one. */
const lookEvery = 600_000;

/** Fetches what the contracts owe this keeper for jobs that are over, and for checkpoints. */
export class JobCashier implements Duty {
  readonly name = "earnings";
  readonly #parts: CashierParts;
  /** Version of the ledger of which nothing is left to do. */
  #version: bigint | undefined;
  /** What had happened to the jobs when their money was last fetched. */
  #fetched = "";
  /** When purses are looked at whatever has happened, in milliseconds of this process. */
  #next = 0;

  constructor(parts: CashierParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { ledger } = this.#parts;
    const { version } = ledger;
    const isDue = performance.now() >= this.#next;
    if (version === this.#version && !isDue) return;
    const ended = this.#parts
      .jobs()
      .filter(
        ({ status, checkpoints }) =>
          over.includes(status) || checkpoints.some(({ paid }) => paid !== undefined),
      );
    // Whatever happens to a job later may bring more.
    const present = ended.map(({ jobId }) => `${jobId}:${ledger.eventsOf(jobId)}`).join();
    if (ended.length > 0 && (isDue || present !== this.#fetched)) {
      let isDone = true;
      for (const purse of purses) isDone = (await this.#withdraw(purse)) && isDone;
      if (!isDone) return;
      this.#fetched = present;
      this.#next = performance.now() + (this.#parts.lookEvery ?? lookEvery);
    }
    this.#version = version;
  }

  /** Says whether nothing is left in a purse. */
  async #withdraw(purse: Purse): Promise<boolean> {
    const { contracts, operator, payTo = operator, queue, log, metrics } = this.#parts;
    const name = `withdraw:${purse}:`;
    // Of a process that was killed.
    const underWay = queue.pending().find(({ key }) => key.startsWith(name));
    if (underWay !== undefined) await queue.wait(underWay.key);
    const credit = await contracts[purse].read.creditOf([operator]);
    if (credit === 0n) return true;
    // A purse fills again and again: each time that it is emptied is another.
    const key = name + randomUUID();
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
