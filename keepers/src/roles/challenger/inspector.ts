import { type AssayError, BadInputError } from "../../core/errors.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { NotEnoughBundlesError } from "../../storage/client/errors.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { openingMove } from "../../training/dispute/find-interval.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJob } from "../jobs/job-run.ts";
import { fetchResult } from "../jobs/result.ts";
import { chainTime, sendCall } from "../storage-node/context.ts";
import type { WatchList } from "./watch-list.ts";

export type InspectorParts = JobContext &
  ComputeParts & {
    readonly watched: WatchList;
    /** Micro-batches of the jobs that are looked at together, at most. */
    readonly budget: number;
  };

/** Executes committed jobs again, and challenges the first interval that comes out differently. */
export class Inspector implements Duty {
  readonly name = "inspecting";
  readonly #parts: InspectorParts;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, client, watched, budget } = this.#parts;
    const now = await chainTime(client);
    const committed = ledger
      .openJobs()
      .filter(
        ({ result, provider }) =>
          result !== undefined && provider !== operator && now <= result.challengeUntil,
      );
    watched.add(
      committed.flatMap((job) => costOf(job) ?? []),
      budget,
    );
    await forEach(committed, async (job) => {
      if (watched.verdict(job.jobId) === "open") await this.#inspect(job, signal);
    });
  }

  async #inspect(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const { jobId } = job;
    let opened: JobRun;
    try {
      opened = await openJobRun(this.#parts, job, signal);
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      this.#decide(job, "unreadable");
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      return;
    }
    try {
      const own = await trainJob(this.#parts, opened, { signal });
      const leaves = await this.#leaves(job, opened, signal);
      if (leaves === undefined && own.stateRoot === job.result!.stateRoot) {
        log.info({ jobId }, "the result is right; its leaves are withheld");
        this.#decide(job, "right");
        return;
      }
      await this.#challenge(job, opened, leaves, signal);
    } finally {
      await opened.job.close();
    }
  }

  #decide(job: JobRecord, verdict: "right" | "wrong" | "unreadable"): void {
    const { watched, metrics } = this.#parts;
    watched.decide(job.jobId, verdict);
    const { steps, interval } = decodeOrder(job.training);
    metrics.checked(verdict, traceLength(steps, interval) - 1);
  }

  /** The leaves that were published; undefined when they are withheld. */
  async #leaves(
    { jobId, result }: JobRecord,
    { job, folder }: JobRun,
    signal: AbortSignal,
  ): Promise<readonly OpenedLeaf[] | undefined> {
    const { storage, log } = this.#parts;
    try {
      const { order, compiled } = job;
      const { program } = compiled;
      const { leaves } = await fetchResult({ storage, program, order, result: result!, folder, signal });
      return leaves;
    } catch (error) {
      signal.throwIfAborted();
      // Whoever stored nothing that can be fetched has published nothing; an endpoint that is down has said nothing.
      const isWithheld = error instanceof NotEnoughBundlesError || error instanceof BadInputError;
      if (!isWithheld && !(error instanceof OrderRefusedError)) throw error;
      log.warn({ jobId, reason: (error as AssayError).message }, "the leaves of this job cannot be had");
      return undefined;
    }
  }

  async #challenge(
    job: JobRecord,
    { job: { source, options }, run }: JobRun,
    leaves: readonly OpenedLeaf[] | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { contracts, executor, log } = this.#parts;
    const { jobId, result } = job;
    const own = new FolderRun({ run, source, executor, options, signal });
    try {
      const move = await openingMove(own, { traceRoot: result!.traceRoot }, leaves);
      if (move === undefined) {
        this.#decide(job, "right");
        log.info({ jobId }, "every interval of this job is right");
        return;
      }
      const { dispute } = await contracts.JobRegistry.read.parametersOf([jobId]);
      const bond = dispute.challengerBond;
      if (move.kind === "challengeTrace") {
        const key = `challenge-trace:${jobId}:0`;
        await sendCall(this.#parts, key, "DisputeGame", "challengeTrace", [jobId], bond);
      } else {
        const { interval, before, next } = move;
        const args = [jobId, BigInt(interval), before, next] as const;
        await sendCall(this.#parts, `challenge:${jobId}:${interval}`, "DisputeGame", "challenge", args, bond);
      }
      this.#decide(job, "wrong");
      log.warn({ jobId, interval: "interval" in move ? move.interval : undefined }, "challenged");
    } finally {
      await own.close();
    }
  }
}

/** Micro-batches of a job; undefined for an order that cannot be read. */
function costOf({ jobId, training }: JobRecord): { jobId: bigint; cost: number } | undefined {
  try {
    const { steps, microBatches } = decodeOrder(training);
    return { jobId, cost: steps * microBatches };
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}
