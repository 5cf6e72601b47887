import { initialState } from "../../core/exact/random/initialize.ts";
import { MemberRun } from "../../training/dispute/member-run.ts";
import type { StateAt } from "../../training/dispute/replayer.ts";
import { keptState } from "../validator/kept-intervals.ts";
import type { ComputeParts, FetchParts, JobContext } from "./duty.ts";
import { FewOpen } from "./few-open.ts";
import { limited } from "./in-time.ts";
import type { JobRecord } from "./job-record.ts";
import { type JobRun, openJobRun } from "./job-run.ts";
import { playsOfADuty } from "./plays.ts";
import { fetchResult, keptLeaves, publishedState } from "./result.ts";

export type IntervalRunsParts = JobContext & ComputeParts & FetchParts;

/** Intervals of a job that are kept open: anyone may accuse of as many as there are, as often as it pays. */
const mostOfAJob = 2;

/** A job whose data is at hand, and what has been computed of it, by interval. */
type Opened = { readonly job: JobRun; readonly runs: FewOpen<number, MemberRun> };

/**
 * Runs that begin at one interval of a committed trace: at the state that was kept before it, or else at a stored checkpoint that
 * its leaf bears out. How many steps come before the interval is no matter.
 */
export class IntervalRuns {
  readonly #parts: IntervalRunsParts;
  readonly #jobs = new FewOpen<bigint, Opened>(playsOfADuty, async ({ job, runs }) => {
    await runs.closeUnless(() => false);
    await job.job.close();
  });

  constructor(parts: IntervalRunsParts) {
    this.#parts = parts;
  }

  /**
   * Works with the run of an interval: one serves every dispute of it, and one copy of the data every run of a job.
   *
   * @param signal ends what the run computes, whoever uses it: that of the keeper, not of one piece of work
   * @throws TooLateError when data or leaves do not arrive; what opening it throws, and what the work does
   */
  use<R>(
    record: JobRecord,
    interval: number,
    signal: AbortSignal,
    work: (run: MemberRun) => Promise<R>,
  ): Promise<R> {
    return this.#jobs.use(
      record.jobId,
      () => this.#open(record, signal),
      ({ job, runs }) => runs.use(interval, () => this.#openRun(record, { job, interval }, signal), work),
    );
  }

  /** Closes the runs of jobs that are over. */
  closeAllBut(jobs: ReadonlySet<bigint>): Promise<void> {
    return this.#jobs.closeUnless((jobId) => jobs.has(jobId));
  }

  async #open(record: JobRecord, signal: AbortSignal): Promise<Opened> {
    const limit = { seconds: this.#parts.fetchTime, signal };
    const job = await limited((stop) => openJobRun(this.#parts, record, stop), limit);
    return { job, runs: new FewOpen(mostOfAJob, (run) => run.close()) };
  }

  async #openRun(
    { jobId, result: posted }: JobRecord,
    { job, interval }: { readonly job: JobRun; readonly interval: number },
    signal: AbortSignal,
  ): Promise<MemberRun> {
    const { executor, storage, fetchTime, log } = this.#parts;
    const limit = { seconds: fetchTime, signal };
    const result = posted!;
    const { folder } = job;
    const { program, order } = job.run;
    const { source, options } = job.job;
    const leaves =
      (await keptLeaves({ order, result, folder })) ??
      (await limited((stop) => fetchResult({ storage, program, order, result, folder, signal: stop }), limit))
        .leaves;
    if (leaves === undefined) throw new Error(`the leaves of job ${jobId} are not where they were stored`);
    const kept = await keptState(folder, interval, program);
    const onWrong = (leaf: number) =>
      log.warn({ jobId, leaf }, "a stored checkpoint is not what it should be");
    const nearest = async (step: number): Promise<StateAt> => {
      const start = interval * order.interval;
      if (kept !== undefined && start <= step) return { step: start, state: kept };
      const stored = await publishedState({ program, order, folder, leaves, onWrong }, step);
      return stored ?? { step: 0, state: initialState(program, order.seed) };
    };
    return new MemberRun({ program, order, source, executor, options, nearest, leaves, signal });
  }
}
