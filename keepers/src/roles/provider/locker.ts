import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { openJobRun } from "../jobs/job-run.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Pleader } from "./pleader.ts";

export type LockerParts = JobContext &
  Omit<ComputeParts, "executor"> &
  Pick<SideBySideOptions, "patience"> & {
    /** Makes sure of a won job's data before it is fetched; it is trusted to be there when this is left out. */
    readonly pleader?: Pick<Pleader, "isThere">;
  };

/**
 * Locks stake for the jobs that were won. Each has a deadline of its own, so none waits for another one's data: whose
 * holders are slow delays nobody else. There are no more at a time than were bid for.
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
    const { contracts, client, log, pleader } = this.#parts;
    const { jobId, deadline, matches } = job;
    if ((await chainTime(client)) > deadline!) return;
    if (pleader !== undefined && !(await pleader.isThere(job, signal))) return;
    if (!(await this.#isHere(job, signal))) return;
    const { providerBond } = await contracts.JobRegistry.read.parametersOf([jobId]);
    const key = `lock:${jobId}:${matches}`;
    if (await tryCall(this.#parts, key, "JobRegistry", "lock", [jobId], providerBond)) {
      log.info({ jobId }, "job locked: training begins");
    }
  }

  /**
   * Fetches all that the job is trained on, and keeps it: with the lock it becomes the provider's own affair, whoever refuses
   * to serve it afterwards.
   */
  async #isHere(job: JobRecord, signal: AbortSignal): Promise<boolean> {
    const { jobId } = job;
    try {
      const opened = await openJobRun(this.#parts, job, signal);
      await opened.job.close();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const reason = (error as Error).message;
      this.#parts.log.warn({ jobId, reason }, "a won job is not locked: it cannot be fetched whole");
      return false;
    }
  }
}
