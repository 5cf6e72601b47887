import { FolderRun } from "../../training/dispute/claimed-run.ts";
import type { ComputeParts, JobContext } from "./duty.ts";
import { FewOpen } from "./few-open.ts";
import type { JobRecord } from "./job-record.ts";
import { type JobRun, openJobRun, type SessionWrapper } from "./job-run.ts";

/** A run that disputes are played from. */
export type OpenRun = JobRun & { readonly disputed: FolderRun };

export type OpenRunsParts = JobContext &
  ComputeParts & {
    /** What stood between the engine and the run when it was trained. */
    readonly worker?: SessionWrapper;
  };

/** Runs that a duty which takes one job after another keeps open: each has its dataset in memory, and maybe an engine. */
export const runsOfADuty = 4;

/** Runs that are kept open as long as their jobs are: a dispute has many moves, and each asks for the same. */
export class OpenRuns {
  readonly #parts: OpenRunsParts;
  readonly #runs: FewOpen<bigint, OpenRun>;

  /** @param most that are open at a time; whoever uses two at once sets no limit */
  constructor(parts: OpenRunsParts, most: number = Number.POSITIVE_INFINITY) {
    this.#parts = parts;
    this.#runs = new FewOpen(most, async ({ disputed, job }) => {
      await disputed.close();
      await job.close();
    });
  }

  get({ jobId, orderHash }: Pick<JobRecord, "jobId" | "orderHash">, signal: AbortSignal): Promise<OpenRun> {
    return this.#runs.get(jobId, () => this.#open({ jobId, orderHash }, signal));
  }

  /** Closes the runs of jobs that are over. */
  closeAllBut(jobs: ReadonlySet<bigint>): Promise<void> {
    return this.#runs.closeUnless((jobId) => jobs.has(jobId));
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
