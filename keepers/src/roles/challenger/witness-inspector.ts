import { join } from "node:path";
import type { Hex } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { type OpeningMove, openingMove } from "../../training/dispute/find-interval.ts";
import { findResumption } from "../../training/trainer/progress.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { type LimitOptions, limited, unlessOver } from "../jobs/in-time.ts";
import { isRunning, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJobUpTo } from "../jobs/job-run.ts";
import { Looks } from "../jobs/looks.ts";
import { checkpointSpacing } from "../jobs/move-time.ts";
import { keptLeaves, obtainResult } from "../jobs/result.ts";
import { type InTurn, ShortestFirst } from "../jobs/shortest-first.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import { executorTakingTurns } from "../jobs/taking-turns.ts";
import { isSurely } from "../storage-node/agreement.ts";
import { chainTime } from "../storage-node/context.ts";
import type { Committees } from "../validator/committees.ts";
import { challenge } from "./challenge.ts";
import { problemOfDispute, type SecondsOfMoves } from "./problem-of-dispute.ts";

/** keccak256 of the witness commitments that a provider has opened, by interval. */
export type OpenedWitnesses = ReadonlyMap<number, Hex>;

export type WitnessInspectorParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "most" | "patience"> & {
    readonly all: Committees;
    /** Shared by all duties of a keeper that begin disputes. */
    readonly moves: SecondsOfMoves;
    /** Intervals of a job whose witnesses are held against the own run, of those that were opened. */
    readonly suspects: (job: JobRecord, opened: OpenedWitnesses) => Promise<readonly number[]>;
    /** Is told of a job that was challenged. */
    readonly onWrong?: (jobId: bigint) => void;
    /** Milliseconds before a job is looked at again. */
    readonly lookEvery: number;
  };

type IntervalChallenge = Extract<OpeningMove, { kind: "challenge" }>;

/** Witnesses of a job that are held against the own run. */
type Comparison = {
  readonly job: JobRecord;
  readonly opened: JobRun;
  readonly leaves: readonly OpenedLeaf[];
  readonly seen: OpenedWitnesses;
  /** Steps that have to be computed. */
  readonly until: number;
  /** Steps from one checkpoint to the next. */
  readonly every: number;
  readonly inTurn: InTurn;
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
  /** What a long job takes must not keep false witnesses of others from being challenged in time. */
  readonly #computing = new ShortestFirst();
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
      const isDone = await this.#compareInTime(job, run, leaves, seen, signal);
      if (isDone === false) return false;
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

  /** Says whether they are right, or were challenged; undefined once the job cannot be challenged any more. */
  async #compareInTime(
    job: JobRecord,
    opened: JobRun,
    leaves: readonly OpenedLeaf[],
    seen: OpenedWitnesses,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    const { executor, lookEvery, log } = this.#parts;
    const { jobId } = job;
    const { order } = opened.run;
    const end = Math.max(...seen.keys()) + 1;
    const until = Math.min(end * order.interval, order.steps);
    const done = (await findResumption(opened.run))?.checkpoint.step ?? 0;
    const measure = () => secondsPerStep(executor, opened.job, signal);
    const seconds = await this.#computing.run(0, (inTurn) => inTurn(measure));
    const compare = async (stop: AbortSignal) => {
      const every = await checkpointSpacing(this.#parts, job, opened, stop, { known: seconds });
      const move = await this.#computing.run(Math.max(0, until - done) * seconds, (inTurn) =>
        this.#findWrong({ job, opened, leaves, seen, until, every, inTurn }, stop),
      );
      if (move === undefined) return true;
      const disputed = { ...opened, secondsPerStep: seconds, every };
      const problem = await this.#computing.run(0, (inTurn) =>
        inTurn(() => problemOfDispute(this.#parts, job, disputed, stop)),
      );
      if (problem === undefined) return await this.#challenge(jobId, move);
      const { reason, isPassing } = problem;
      log.error({ jobId, reason }, "witnesses are false, and are not challenged now: no bond is put up");
      // Other disputes end, and whoever lies could have them begun.
      return !isPassing;
    };
    const isOver = () =>
      isSurely(this.#parts, "whether a job can be challenged", async ({ contracts, client }) => {
        const { challengeUntil } = await contracts.JobRegistry.read.claimOf([jobId]);
        return (await chainTime(client)) > challengeUntil;
      });
    const isDone = await unlessOver(compare, { isOver, lookEvery, signal });
    if (isDone === undefined) log.warn({ jobId }, "witnesses take longer than they can be challenged: left");
    return isDone;
  }

  /** The challenge of the first interval whose witnesses are others than were opened. */
  async #findWrong(
    { job, opened, leaves, seen, until, every, inTurn }: Comparison,
    signal: AbortSignal,
  ): Promise<IntervalChallenge | undefined> {
    const { run } = opened;
    const { source, options } = opened.job;
    const end = Math.max(...seen.keys()) + 1;
    const executor = executorTakingTurns(this.#parts.executor, inTurn, signal);
    await trainJobUpTo({ executor }, opened, { until, every, signal });
    const own = new FolderRun({ run, source, executor, options, signal });
    try {
      const move = await openingMove(own, job.result!, leaves, { end, opened: (each) => seen.get(each) });
      return move?.kind === "challenge" ? move : undefined;
    } finally {
      await own.close();
    }
  }

  /** Says whether the game has taken it. */
  async #challenge(jobId: bigint, move: IntervalChallenge): Promise<boolean> {
    const { log, onWrong } = this.#parts;
    const { interval } = move;
    log.warn({ jobId, interval }, "what was opened is not what this interval gives");
    try {
      await challenge(this.#parts, jobId, move);
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error;
      log.error({ jobId, reason: error.message }, "the game does not take the challenge of false witnesses");
      return false;
    }
    onWrong?.(jobId);
    log.warn({ jobId, interval }, "challenged");
    return true;
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
