import { join } from "node:path";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { parametersOf } from "../jobs/job-parameters.ts";
import { isPast, type JobRecord } from "../jobs/job-record.ts";
import { openJobRun } from "../jobs/job-run.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import { tryCall } from "../storage-node/context.ts";
import type { HeldData } from "./held-data.ts";

export type LockerParts = JobContext &
  Omit<ComputeParts, "executor"> &
  Pick<SideBySideOptions, "patience"> & {
    /** What was fetched before it was bid for. */
    readonly held: HeldData;
  };

/**
 * Takes on the jobs that were won, with a bond for each. Each has a deadline of its own, so none waits for another one's
 * data: whose holders are slow delays nobody else. There are no more at a time than were bid for.
 */
export class Locker implements Duty {
  readonly name = "locking";
  readonly #parts: LockerParts;
  readonly #locks: SideBySide<bigint>;

  constructor(parts: LockerParts) {
    this.#parts = parts;
    this.#locks = new SideBySide(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    for (const job of ledger.openJobs()) {
      if (job.status !== "Matched" || job.provider !== operator) continue;
      this.#locks.begin(job.jobId, () => this.#lock(job, signal));
    }
    await this.#locks.look();
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#locks.settled();
  }

  async #lock(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const { jobId, matches } = job;
    if (isPast(job, await surelyNow(this.#parts))) return;
    if (!(await this.#isHere(job, signal))) return;
    const { providerBond } = await parametersOf(this.#parts, jobId);
    const key = `lock:${jobId}:${matches}`;
    if (await tryCall(this.#parts, key, "JobRegistry", "lock", [jobId], providerBond)) {
      log.info({ jobId }, "job locked: training begins");
    }
  }

  /** Opens what the job is trained on once more: it lies here since before the bid. */
  async #isHere(job: JobRecord, signal: AbortSignal): Promise<boolean> {
    const { jobId, orderHash } = job;
    const { held, folder } = this.#parts;
    try {
      await held.handOver(orderHash, join(folder, String(jobId)));
      const opened = await openJobRun(this.#parts, job, signal);
      await opened.job.close();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const reason = (error as Error).message;
      this.#parts.log.warn({ jobId, reason }, "a won job is not locked: its data cannot be opened");
      return false;
    }
  }
}
