import { FolderRun } from "../../training/dispute/claimed-run.ts";
import type { ComputeParts, FetchParts, JobContext } from "./duty.ts";
import { FewOpen } from "./few-open.ts";
import { limited } from "./in-time.ts";
import type { JobRecord } from "./job-record.ts";
import { type JobRun, openJobRun, type SessionWrapper } from "./job-run.ts";

/** A run that disputes are played from. */
export type OpenRun = JobRun & { readonly disputed: FolderRun };

export type OpenRunsParts = JobContext &
  ComputeParts &
  FetchParts & {
    /** What stood between the engine and the run when it was trained. */
    readonly worker?: SessionWrapper;
  };

/** Runs that are kept open as long as their jobs are: a dispute has many moves, and each asks for the same. */
export class OpenRuns {
  readonly #parts: OpenRunsParts;
  readonly #runs: FewOpen<bigint, OpenRun>;

  /** @param most that are open at a time */
  constructor(parts: OpenRunsParts, most: number = Number.POSITIVE_INFINITY) {
    this.#parts = parts;
    this.#runs = new FewOpen(most, async ({ disputed, job }) => {
      await disputed.close();
      await job.close();
    });
  }

  /**
   * Works with the run of a job.
   *
   * @param signal ends what the run computes, whoever uses it: that of the keeper, not of one piece of work
   * @throws TooLateError when its data does not arrive; what opening it throws, and what the work does
   */
  use<R>(
    { jobId, orderHash }: Pick<JobRecord, "jobId" | "orderHash">,
    signal: AbortSignal,
    work: (run: OpenRun) => Promise<R>,
  ): Promise<R> {
    return this.#runs.use(jobId, () => this.#open({ jobId, orderHash }, signal), work);
  }

  /** Closes the runs of jobs that are over. */
  closeAllBut(jobs: ReadonlySet<bigint>): Promise<void> {
    return this.#runs.closeUnless((jobId) => jobs.has(jobId));
  }

  async #open(named: Pick<JobRecord, "jobId" | "orderHash">, signal: AbortSignal): Promise<OpenRun> {
    const { executor, worker, fetchTime: seconds } = this.#parts;
    const opened = await limited((stop) => openJobRun(this.#parts, named, stop), { seconds, signal });
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
