import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import { checkpointLeaves } from "../../core/exact/result-files.ts";
import { openLeaf } from "../../training/dispute/leaves.ts";
import { traceRootOf } from "../../training/trace/commitments.ts";
import { checkpointAt } from "../../training/trace/nearest-state.ts";
import { readTrace } from "../../training/trainer/progress.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { isPast, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, type SessionWrapper, trainJob } from "../jobs/job-run.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import { checkpointSpacing } from "../jobs/move-time.ts";
import { writeResult } from "../jobs/result.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import { agreedOrUsual, surelyNow } from "../storage-node/agreement.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Crew, CrewClock } from "./crew.ts";
import { placeOfResult } from "./result-keeper.ts";

export type TrainerParts = JobContext &
  Omit<ComputeParts, "storage"> &
  Pick<SideBySideOptions, "patience"> & {
    readonly storage: ResultStorage;
    /** Stands between the engine and what is committed to; the engine itself by default. */
    readonly worker?: SessionWrapper;
    /** Workers that compute for this provider; it trains alone by default. */
    readonly crew?: Pick<Crew, "prepare" | "open" | "trained">;
  };

/** Milliseconds between looks at whether a job that trains is still wanted, and at results of others that are not committed to. */
const pause = 10_000;

/** What was written of a result that is trained. */
type WrittenResult = {
  readonly place: ReturnType<typeof placeOfResult>;
  readonly commitment: {
    readonly traceRoot: Hex;
    readonly first: ReturnType<typeof openLeaf>;
    readonly last: ReturnType<typeof openLeaf>;
    readonly leavesDigest: Hex;
  };
};

/**
 * Trains the jobs that are locked, one after another. Their results are stored and committed to side by side: operators that are
 * slow to take one hold up neither the training of the next job nor its result, and a store that fails does not wait for its end.
 */
export class Trainer implements Duty {
  readonly name = "training";
  readonly #parts: TrainerParts;
  readonly #commits: SideBySide<bigint>;
  /** Results that were written and are not committed to. */
  readonly #written = new Map<bigint, WrittenResult>();

  constructor(parts: TrainerParts) {
    this.#parts = parts;
    this.#commits = new SideBySide({ patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const begin = async (job: JobRecord) => {
      if (job.provider !== operator || !(await this.#isLacking(job))) return;
      // It is written anew: until then nothing is stored of it.
      this.#written.delete(job.jobId);
      const written = await this.#trainWhileWanted(job, signal);
      if (written === undefined) return;
      this.#written.set(job.jobId, written);
      this.#beginCommit(job, written, signal);
    };
    await forEach(
      [() => forEach(ledger.openJobs(), begin), async () => void (await this.#commits.look())],
      (step) => step(),
    );
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#commits.settled();
  }

  /** Whether a job's result is still to be committed to, and nobody is at it. */
  async #isLacking(job: JobRecord): Promise<boolean> {
    if (job.status !== "Training" || this.#commits.has(job.jobId)) return false;
    return !isPast(job, await surelyNow(this.#parts));
  }

  #beginCommit(job: JobRecord, written: WrittenResult, signal: AbortSignal): void {
    this.#commits.begin(job.jobId, () => this.#commit(job, written, signal));
  }

  /**
   * What was written of a job's result; undefined when the job has ended before, or its time. Nothing of it is of use to anybody
   * then, and whatever was locked meanwhile would be late.
   */
  async #trainWhileWanted(job: JobRecord, signal: AbortSignal): Promise<WrittenResult | undefined> {
    const { ledger, log } = this.#parts;
    const { jobId } = job;
    const over = new AbortController();
    const look = async () => {
      const current = ledger.job(jobId);
      if (current === undefined || !(await this.#isLacking(current))) over.abort();
    };
    const either = AbortSignal.any([over.signal, signal]);
    try {
      return await this.#lookingMeanwhile(() => this.#train(job, either), look, signal);
    } catch (error) {
      if (!over.signal.aborted || signal.aborted) throw error;
      log.warn({ jobId, status: ledger.job(jobId)?.status }, "the job is over: it is trained no further");
      return undefined;
    }
  }

  /**
   * Trains for hours, maybe: meanwhile a look is taken again and again, and results of other jobs whose stores fail are stored
   * again, each after a pause.
   */
  async #lookingMeanwhile<T>(
    work: () => Promise<T>,
    look: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<T> {
    const done = new AbortController();
    const until = AbortSignal.any([done.signal, signal]);
    const others = [
      this.#repeat("a look at the job that trains", look, until),
      this.#repeat("a commitment to a result", () => this.#commitWritten(signal), until),
    ];
    try {
      return await work();
    } finally {
      done.abort();
      await Promise.all(others);
    }
  }

  async #repeat(what: string, work: () => Promise<void>, until: AbortSignal): Promise<void> {
    for (;;) {
      await delay(pause, undefined, { signal: until, ref: false }).catch(() => undefined);
      if (until.aborted) return;
      try {
        await work();
      } catch (error) {
        this.#parts.log.warn({ what, reason: (error as Error).message }, "failed, and will be tried again");
      }
    }
  }

  async #commitWritten(signal: AbortSignal): Promise<void> {
    await this.#commits.look();
    for (const [jobId, written] of this.#written) {
      const job = this.#parts.ledger.job(jobId);
      if (job?.status !== "Training") this.#written.delete(jobId);
      else if (await this.#isLacking(job)) this.#beginCommit(job, written, signal);
    }
  }

  async #train(job: JobRecord, signal: AbortSignal): Promise<WrittenResult> {
    const opened = await openJobRun(this.#parts, job, signal);
    try {
      const { worker, crew, log } = this.#parts;
      await crew?.prepare(job.jobId, opened);
      const seconds = await secondsPerStep(this.#parts.executor, opened.job, signal);
      const clock = crew && (await this.#clockOf(job, seconds));
      const sessions = crew &&
        clock && {
          open: (firstStep: number) => crew.open(job.jobId, opened, firstStep, signal, clock),
        };
      const measured = { known: seconds, isOwn: true };
      const every = await checkpointSpacing(this.#parts, job, opened, signal, measured);
      const result = await trainJob(this.#parts, opened, { ...sessions, worker, every, signal });
      log.info({ jobId: job.jobId, stateRoot: result.stateRoot }, "trained");
      crew?.trained(job.jobId);
      return await this.#write(job, opened, result.state);
    } finally {
      await opened.job.close();
    }
  }

  /** What is left of a job's time goes by the chain's clock now, and by this machine's from here on. */
  async #clockOf({ deadline }: JobRecord, secondsPerStep: number): Promise<CrewClock> {
    const { value } = await agreedOrUsual(this.#parts, "the time", ({ client }) => chainTime(client));
    const [left, began] = [Number(deadline! - value), performance.now()];
    return { secondsPerStep, secondsLeft: () => left - (performance.now() - began) / 1000 };
  }

  async #write(
    { jobId }: JobRecord,
    { run, folder }: JobRun,
    state: readonly Int32Array[],
  ): Promise<WrittenResult> {
    const leaves = (await readTrace(run)).map(({ stateRoot, h }) => ({ stateRoot, h }));
    const checkpoints = new Map<number, readonly Int32Array[]>();
    for (const leaf of checkpointLeaves(run.order)) {
      const checkpoint = await checkpointAt(run, leaf * run.order.interval);
      if (checkpoint !== undefined) checkpoints.set(leaf, checkpoint.state);
    }
    const place = placeOfResult(folder, jobId, 0);
    const { leavesDigest } = await writeResult(place.folder, run.program, state, leaves, checkpoints);
    const traceRoot = traceRootOf(leaves, run.order);
    const [first, last] = [openLeaf(leaves, 0), openLeaf(leaves, leaves.length - 1)];
    return { place, commitment: { traceRoot, first, last, leavesDigest } };
  }

  async #commit(
    { jobId }: JobRecord,
    { place, commitment }: WrittenResult,
    signal: AbortSignal,
  ): Promise<void> {
    const { storage, log } = this.#parts;
    const resultId = await storage.store({ ...place, signal });
    const args = [jobId, { ...commitment, resultId }] as const;
    // What the chain refuses is looked at anew.
    this.#written.delete(jobId);
    if (await tryCall(this.#parts, `commit:${jobId}`, "JobRegistry", "commit", args)) {
      log.info({ jobId, resultId }, "result committed");
      await rm(place.folder, { recursive: true, force: true });
    }
  }
}
