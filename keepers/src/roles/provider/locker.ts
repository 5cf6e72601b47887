import { setTimeout as delay } from "node:timers/promises";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { openJobRun } from "../jobs/job-run.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Pleader } from "./pleader.ts";

export type LockerParts = JobContext &
  Omit<ComputeParts, "executor"> & {
    /** Makes sure of a won job's data before it is fetched; it is trusted to be there when this is left out. */
    readonly pleader?: Pick<Pleader, "isThere">;
    /** How long a look at the jobs waits for their data, in milliseconds; what is not there then is fetched further. */
    readonly patience?: number;
  };

/**
 * Locks stake for the jobs that were won. Each has a deadline of its own, so none waits for another one's data: whose
 * holders are slow delays nobody else. There are no more at a time than free stake can be locked for.
 */
export class Locker implements Duty {
  readonly name = "locking";
  readonly #parts: LockerParts;
  readonly #underWay = new Map<bigint, Promise<void>>();
  /** What failed since the last look. */
  #failures: unknown[] = [];

  constructor(parts: LockerParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, patience = 2000 } = this.#parts;
    for (const job of ledger.openJobs()) {
      const { jobId, status, provider } = job;
      if (status !== "Matched" || provider !== operator || this.#underWay.has(jobId)) continue;
      const work = this.#lock(job, signal)
        .catch((error: unknown) => void this.#failures.push(error))
        .finally(() => this.#underWay.delete(jobId));
      this.#underWay.set(jobId, work);
    }
    const waited = new AbortController();
    const enough = delay(patience, undefined, { signal: waited.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#underWay.values()), enough]);
    waited.abort();
    const failures = this.#failures;
    this.#failures = [];
    if (failures.length > 0) throw failures[0];
  }

  /** Waits for what is under way: the signal of the last look has ended it. */
  async close(): Promise<void> {
    await Promise.all(this.#underWay.values());
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
