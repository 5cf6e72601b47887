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
import { surelyNow } from "../storage-node/agreement.ts";
import { tryCall } from "../storage-node/context.ts";
import type { Crew } from "./crew.ts";
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

/** Milliseconds between looks at results that are not committed to, while another job trains. */
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
      const written = await this.#committingMeanwhile(() => this.#train(job, signal), signal);
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

  /** Trains for hours, maybe: results of other jobs whose stores fail meanwhile are stored again, each after a pause. */
  async #committingMeanwhile<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const done = new AbortController();
    const committing = this.#commitUntil(AbortSignal.any([done.signal, signal]), signal);
    try {
      return await work();
    } finally {
      done.abort();
      await committing;
    }
  }

  async #commitUntil(until: AbortSignal, signal: AbortSignal): Promise<void> {
    const { ledger, log } = this.#parts;
    for (;;) {
      await delay(pause, undefined, { signal: until, ref: false }).catch(() => undefined);
      if (until.aborted) return;
      try {
        await this.#commits.look();
        for (const [jobId, written] of this.#written) {
          const job = ledger.job(jobId);
          if (job?.status !== "Training") this.#written.delete(jobId);
          else if (await this.#isLacking(job)) this.#beginCommit(job, written, signal);
        }
      } catch (error) {
        log.warn({ reason: (error as Error).message }, "a result was not committed to, and will be again");
      }
    }
  }

  async #train(job: JobRecord, signal: AbortSignal): Promise<WrittenResult> {
    const opened = await openJobRun(this.#parts, job, signal);
    try {
      const { worker, crew, log } = this.#parts;
      await crew?.prepare(job.jobId, opened);
      const sessions = crew && {
        open: (firstStep: number) => crew.open(job.jobId, opened, firstStep, signal),
      };
      const every = await checkpointSpacing(this.#parts, job, opened, signal, { isOwn: true });
      const result = await trainJob(this.#parts, opened, { ...sessions, worker, every, signal });
      log.info({ jobId: job.jobId, stateRoot: result.stateRoot }, "trained");
      crew?.trained(job.jobId);
      return await this.#write(job, opened, result.state);
    } finally {
      await opened.job.close();
    }
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
