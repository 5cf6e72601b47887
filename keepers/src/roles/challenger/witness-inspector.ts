import { join } from "node:path";
import type { Hex } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { openingMove } from "../../training/dispute/find-interval.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { type LimitOptions, limited } from "../jobs/in-time.ts";
import { isRunning, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJobUpTo } from "../jobs/job-run.ts";
import { Looks } from "../jobs/looks.ts";
import { OneAtATime } from "../jobs/one-at-a-time.ts";
import { keptLeaves, obtainResult } from "../jobs/result.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import type { Committees } from "../validator/committees.ts";
import { challenge } from "./challenge.ts";

/** keccak256 of the witness commitments that a provider has opened, by interval. */
export type OpenedWitnesses = ReadonlyMap<number, Hex>;

export type WitnessInspectorParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "most" | "patience"> & {
    readonly all: Committees;
    /** Intervals of a job whose witnesses are held against the own run, of those that were opened. */
    readonly suspects: (job: JobRecord, opened: OpenedWitnesses) => Promise<readonly number[]>;
    /** Is told of a job that was challenged. */
    readonly onWrong?: (jobId: bigint) => void;
    /** Milliseconds before a job is looked at again. */
    readonly lookEvery: number;
  };

/**
 * Holds the witnesses that a provider opens to its committee against those of the own run, and challenges the first
 * interval that comes out differently. Before they are opened nobody can see whether a trace binds false ones: salts hide
 * it, and the states are right. Unchallenged, they would have every member slashed that signed what it computed.
 */
export class WitnessInspector implements Duty {
  readonly name = "inspecting witnesses";
  readonly #parts: WitnessInspectorParts;
  readonly #looks: Looks<bigint>;
  readonly #computing = new OneAtATime();
  /** What was opened of a job when it was last looked at, in this process. */
  readonly #seen = new Map<bigint, string>();

  constructor(parts: WitnessInspectorParts) {
    this.#parts = parts;
    this.#looks = new Looks({ most: parts.most, patience: parts.patience, pause: parts.lookEvery });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const jobs = ledger.openJobs().filter((job) => {
      const hasCommittee = job.order.conditions.committeeSize !== 0 && job.result !== undefined;
      return hasCommittee && isRunning(job) && job.provider !== operator;
    });
    const open = new Set(jobs.map(({ jobId }) => jobId));
    for (const jobId of this.#seen.keys()) if (!open.has(jobId)) this.#seen.delete(jobId);
    const due = new Map(jobs.map((job) => [job.jobId, job]));
    await this.#looks.round(
      () => due,
      (job) => this.#look(job, signal),
    );
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#looks.settled();
  }

  /** Says whether there is nothing more to look at, for now. */
  async #look(job: JobRecord, signal: AbortSignal): Promise<boolean> {
    const { all, suspects, fetchTime } = this.#parts;
    const { jobId } = job;
    const opened = await all.opened(job);
    const intervals = opened.size === 0 ? [] : await suspects(job, opened);
    if (intervals.length === 0 || this.#isChallenged(jobId)) return true;
    const what = intervals.map((interval) => `${interval}:${opened.get(interval)}`).join();
    if (this.#seen.get(jobId) === what) return true;
    const limit = { seconds: fetchTime, signal };
    const run = await limited((stop) => openJobRun(this.#parts, job, stop), limit);
    try {
      const seen = new Map(intervals.map((each) => [each, opened.get(each)!]));
      const leaves = await this.#leaves(job, run, limit);
      if (leaves === undefined) return false;
      const isDone = await this.#computing.run(() => this.#compare(job, run, leaves, seen, signal));
      if (!isDone) return false;
      this.#seen.set(jobId, what);
      return true;
    } finally {
      await run.job.close();
    }
  }

  /** One challenge ends the job; a second would only cost another bond. */
  #isChallenged(jobId: bigint): boolean {
    const { ledger, operator } = this.#parts;
    return ledger
      .challengesOf(jobId)
      .some(({ challenger, checkpoint }) => challenger === operator && checkpoint === 0);
  }

  /** Says whether they are right, or were challenged. */
  async #compare(
    job: JobRecord,
    opened: JobRun,
    leaves: readonly OpenedLeaf[],
    seen: OpenedWitnesses,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { executor, log, onWrong } = this.#parts;
    const { jobId } = job;
    const { run } = opened;
    const { source, options } = opened.job;
    const end = Math.max(...seen.keys()) + 1;
    await trainJobUpTo(this.#parts, opened, {
      until: Math.min(end * run.order.interval, run.order.steps),
      signal,
    });
    const own = new FolderRun({ run, source, executor, options, signal });
    try {
      const move = await openingMove(own, job.result!, leaves, { end, opened: (each) => seen.get(each) });
      if (move?.kind !== "challenge") return true;
      const { interval } = move;
      log.warn({ jobId, interval }, "what was opened is not what this interval gives");
      await challenge(this.#parts, jobId, move);
      onWrong?.(jobId);
      log.warn({ jobId, interval }, "challenged");
      return true;
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error;
      log.error({ jobId, reason: error.message }, "the game does not take the challenge of false witnesses");
      return false;
    } finally {
      await own.close();
    }
  }

  /** The leaves as they were found at the first look, or else as they are stored now. */
  async #leaves(
    { jobId, result }: JobRecord,
    { job: { order, compiled }, folder }: JobRun,
    limit: LimitOptions,
  ): Promise<readonly OpenedLeaf[] | undefined> {
    const { storage, log } = this.#parts;
    const kept = await keptLeaves({ order, result: result!, folder });
    if (kept !== undefined) return kept;
    const { program } = compiled;
    const missing = "opened witnesses cannot be challenged";
    const fetched = await obtainResult(
      { storage, program, order, result: result!, folder: join(folder, "opened") },
      {
        ...limit,
        onNothing: (reason) => log.warn({ jobId, reason }, `the leaves cannot be had: ${missing}`),
      },
    );
    if (fetched !== undefined && fetched.leaves === undefined) {
      log.warn({ jobId }, `what is stored holds no leaves: ${missing}`);
    }
    return fetched?.leaves;
  }
}
