import { FolderRun } from "../../training/dispute/claimed-run.ts";
import type { ComputeParts, JobContext } from "./duty.ts";
import type { JobRecord } from "./job-record.ts";
import { type JobRun, openJobRun, type SessionWrapper } from "./job-run.ts";

/** A run that disputes are played from. */
export type OpenRun = JobRun & { readonly disputed: FolderRun };

export type OpenRunsParts = JobContext &
  ComputeParts & {
    /** What stood between the engine and the run when it was trained. */
    readonly worker?: SessionWrapper;
  };

/** Runs that are kept open as long as their jobs are: a dispute has many moves, and each asks for the same. */
export class OpenRuns {
  readonly #parts: OpenRunsParts;
  readonly #runs = new Map<bigint, Promise<OpenRun>>();

  constructor(parts: OpenRunsParts) {
    this.#parts = parts;
  }

  get({ jobId, orderHash }: Pick<JobRecord, "jobId" | "orderHash">, signal: AbortSignal): Promise<OpenRun> {
    let open = this.#runs.get(jobId);
    if (open === undefined) {
      open = this.#open({ jobId, orderHash }, signal);
      this.#runs.set(jobId, open);
      // What could not be opened is tried again.
      open.catch(() => this.#runs.delete(jobId));
    }
    return open;
  }

  /** Closes the runs of jobs that are over. */
  async closeAllBut(jobs: ReadonlySet<bigint>): Promise<void> {
    for (const [jobId, open] of this.#runs) {
      if (jobs.has(jobId)) continue;
      this.#runs.delete(jobId);
      const opened = await open.catch(() => undefined);
      await opened?.disputed.close();
      await opened?.job.close();
    }
  }

  async #open(named: Pick<JobRecord, "jobId" | "orderHash">, signal: AbortSignal): Promise<OpenRun> {
    const { executor, worker } = this.#parts;
    const opened = await openJobRun(this.#parts, named, signal);
    const { run } = opened;
    const { source, options } = opened.job;
    const disputed = new FolderRun({
      run,
      source,
      executor,
      options,
      signal,
      ...(worker !== undefined && {
        open: async (firstStep: number) => worker(await executor.open(run.program, options), firstStep),
      }),
    });
    return { ...opened, disputed };
  }
}
