import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CommitteeLedger } from "../validator/committee-ledger.ts";
import type { Duty, JobContext } from "./duty.ts";

export type RunSweeperParts = Pick<JobContext, "ledger" | "log"> & {
  readonly committees: Pick<CommitteeLedger, "undismissed">;
  /** Folder of everything that belongs to jobs, each in one that is named by its number. */
  readonly folder: string;
  /** Milliseconds from when nothing of a job is open any more until its folder is deleted; ten minutes by default. */
  readonly patience?: number;
};

const usualPatience = 600_000;

/**
 * Deletes the runs of jobs that have ended and in which nothing can be disputed any more: each has sixteen checkpoints or more.
 * Whoever challenges has no other use for them, and could compute them again.
 */
export class RunSweeper implements Duty {
  readonly name = "sweeping";
  readonly #parts: RunSweeperParts;
  /** Since when nothing of a job has been open, on the clock of the process: work on it may still be under way. */
  readonly #idleSince = new Map<bigint, number>();

  constructor(parts: RunSweeperParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { ledger, folder, log, patience = usualPatience } = this.#parts;
    const needed = this.#needed();
    const now = performance.now();
    for (const jobId of await jobsIn(folder)) {
      // What the ledger does not know may not have been read from the chain yet.
      if (needed.has(jobId) || ledger.job(jobId) === undefined) {
        this.#idleSince.delete(jobId);
        continue;
      }
      const since = this.#idleSince.get(jobId) ?? now;
      this.#idleSince.set(jobId, since);
      if (now < since + patience) continue;
      await rm(join(folder, String(jobId)), { recursive: true, force: true });
      this.#idleSince.delete(jobId);
      log.info({ jobId }, "deleted the run of a job that is over");
    }
  }

  #needed(): Set<bigint> {
    const { ledger, committees } = this.#parts;
    const open = [
      ledger.openJobs(),
      ledger.openChallenges(),
      ledger.openAccusations(),
      committees.undismissed(),
    ];
    return new Set(open.flat().map(({ jobId }) => jobId));
  }
}

/** Jobs that have a folder. */
async function jobsIn(folder: string): Promise<bigint[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => /^(0|[1-9]\d*)$/.test(name)).map(BigInt);
}
