import { join } from "node:path";
import type { Hex } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { BadInputError } from "../../core/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { NotEnoughBundlesError } from "../../storage/client/errors.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { openingMove } from "../../training/dispute/find-interval.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { isRunning, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJobUpTo } from "../jobs/job-run.ts";
import { fetchResult, keptLeaves } from "../jobs/result.ts";
import type { Committees } from "../validator/committees.ts";
import { challenge } from "./challenge.ts";

/** keccak256 of the witness commitments that a provider has opened, by interval. */
export type OpenedWitnesses = ReadonlyMap<number, Hex>;

export type WitnessInspectorParts = JobContext &
  ComputeParts & {
    readonly all: Committees;
    /** Intervals of a job whose witnesses are held against the own run, of those that were opened. */
    readonly suspects: (job: JobRecord, opened: OpenedWitnesses) => Promise<readonly number[]>;
    /** Is told of a job that was challenged. */
    readonly onWrong?: (jobId: bigint) => void;
  };

/**
 * Holds the witnesses that a provider opens to its committee against those of the own run, and challenges the first
 * interval that comes out differently. Before they are opened nobody can see whether a trace binds false ones: salts hide
 * it, and the states are right. Unchallenged, they would have every member slashed that signed what it computed.
 */
export class WitnessInspector implements Duty {
  readonly name = "inspecting witnesses";
  readonly #parts: WitnessInspectorParts;
  /** What was opened of a job when it was last looked at, in this process. */
  readonly #seen = new Map<bigint, string>();

  constructor(parts: WitnessInspectorParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const jobs = ledger.openJobs().filter((job) => {
      const hasCommittee = job.order.conditions.committeeSize !== 0 && job.result !== undefined;
      return hasCommittee && isRunning(job) && job.provider !== operator;
    });
    const open = new Set(jobs.map(({ jobId }) => jobId));
    for (const jobId of this.#seen.keys()) if (!open.has(jobId)) this.#seen.delete(jobId);
    await forEach(jobs, (job) => this.#look(job, signal));
  }

  async #look(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { all, suspects } = this.#parts;
    const { jobId } = job;
    const opened = await all.opened(job);
    const intervals = opened.size === 0 ? [] : await suspects(job, opened);
    if (intervals.length === 0 || this.#isChallenged(jobId)) return;
    const what = intervals.map((interval) => `${interval}:${opened.get(interval)}`).join();
    if (this.#seen.get(jobId) === what) return;
    const run = await openJobRun(this.#parts, job, signal);
    try {
      const seen = new Map(intervals.map((each) => [each, opened.get(each)!]));
      if (await this.#compare(job, run, seen, signal)) this.#seen.set(jobId, what);
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

  /** Says whether there is nothing more to look at. */
  async #compare(
    job: JobRecord,
    opened: JobRun,
    seen: OpenedWitnesses,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { executor, log, onWrong } = this.#parts;
    const { jobId } = job;
    const leaves = await this.#leaves(job, opened, signal);
    if (leaves === undefined) return false;
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
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error;
      log.error({ jobId, reason: error.message }, "the game does not take the challenge of false witnesses");
    } finally {
      await own.close();
    }
    return true;
  }

  /** The leaves as they were found at the first look, or else as they are stored now. */
  async #leaves(
    { jobId, result }: JobRecord,
    { job: { order, compiled }, folder }: JobRun,
    signal: AbortSignal,
  ): Promise<readonly OpenedLeaf[] | undefined> {
    const { storage, log } = this.#parts;
    const kept = await keptLeaves({ order, result: result!, folder });
    if (kept !== undefined) return kept;
    try {
      const apart = join(folder, "opened");
      const { program } = compiled;
      const fetched = await fetchResult({ storage, program, order, result: result!, folder: apart, signal });
      if (fetched.leaves !== undefined) return fetched.leaves;
      log.warn({ jobId }, "what is stored holds no leaves: opened witnesses cannot be challenged");
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof NotEnoughBundlesError || error instanceof BadInputError)) throw error;
      log.warn(
        { jobId, reason: error.message },
        "the leaves cannot be had: opened witnesses cannot be challenged",
      );
    }
    return undefined;
  }
}
