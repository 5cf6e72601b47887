import { rm } from "node:fs/promises";
import { checkpointLeaves } from "../../core/exact/result-files.ts";
import { openLeaf } from "../../training/dispute/leaves.ts";
import { traceRootOf } from "../../training/trace/commitments.ts";
import { checkpointAt } from "../../training/trace/nearest-state.ts";
import { readLogs } from "../../training/trainer/progress.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { isPast, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, type SessionWrapper, trainJob } from "../jobs/job-run.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import { writeResult } from "../jobs/result.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import { tryCall } from "../storage-node/context.ts";
import type { Crew } from "./crew.ts";
import { placeOfResult } from "./result-keeper.ts";

export type TrainerParts = JobContext &
  Omit<ComputeParts, "storage"> & {
    readonly storage: ResultStorage;
    /** Stands between the engine and what is committed to; the engine itself by default. */
    readonly worker?: SessionWrapper;
    /** Workers that compute for this provider; it trains alone by default. */
    readonly crew?: Pick<Crew, "prepare" | "open" | "trained">;
  };

/** Trains the jobs that are locked, stores their results, commits to them: one job after another. */
export class Trainer implements Duty {
  readonly name = "training";
  readonly #parts: TrainerParts;

  constructor(parts: TrainerParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    await forEach(ledger.openJobs(), async (job) => {
      if (job.status !== "Training" || job.provider !== operator) return;
      if (isPast(job, await surelyNow(this.#parts))) return;
      await this.#train(job, signal);
    });
  }

  async #train(job: JobRecord, signal: AbortSignal): Promise<void> {
    const opened = await openJobRun(this.#parts, job, signal);
    try {
      const { worker, crew, log } = this.#parts;
      await crew?.prepare(job.jobId, opened);
      const sessions = crew && {
        open: (firstStep: number) => crew.open(job.jobId, opened, firstStep, signal),
      };
      const result = await trainJob(this.#parts, opened, { ...sessions, worker, signal });
      log.info({ jobId: job.jobId, stateRoot: result.stateRoot }, "trained");
      crew?.trained(job.jobId);
      await this.#commit(job, opened, result.state, signal);
    } finally {
      await opened.job.close();
    }
  }

  async #commit(
    { jobId }: JobRecord,
    { run, folder }: JobRun,
    state: readonly Int32Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const { storage, log } = this.#parts;
    const leaves = (await readLogs(run)).trace.map(({ stateRoot, h }) => ({ stateRoot, h }));
    const checkpoints = new Map<number, readonly Int32Array[]>();
    for (const leaf of checkpointLeaves(run.order)) {
      const checkpoint = await checkpointAt(run, leaf * run.order.interval);
      if (checkpoint !== undefined) checkpoints.set(leaf, checkpoint.state);
    }
    const place = placeOfResult(folder, jobId, 0);
    const written = await writeResult(place.folder, run.program, state, leaves, checkpoints);
    const resultId = await storage.store({ ...place, signal });
    const commitment = {
      traceRoot: traceRootOf(leaves, run.order),
      first: openLeaf(leaves, 0),
      last: openLeaf(leaves, leaves.length - 1),
      leavesDigest: written.leavesDigest,
      resultId,
    };
    if (await tryCall(this.#parts, `commit:${jobId}`, "JobRegistry", "commit", [jobId, commitment])) {
      log.info({ jobId, resultId }, "result committed");
      await rm(written.folder, { recursive: true, force: true });
    }
  }
}
