import { setTimeout as delay } from "node:timers/promises";
import { type AssayError, BadInputError } from "../../core/errors.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { claimIdOf } from "../../core/market/instalments.ts";
import { NotEnoughBundlesError } from "../../storage/client/errors.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { openingMove } from "../../training/dispute/find-interval.ts";
import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import { mostPending } from "../jobs/janitor.ts";
import { type CommittedResult, isRunning, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJobUpTo } from "../jobs/job-run.ts";
import { fetchResult } from "../jobs/result.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import { challenge } from "./challenge.ts";
import { voidEvidence } from "./void-evidence.ts";
import type { WatchList } from "./watch-list.ts";

export type InspectorParts = JobContext &
  ComputeParts & {
    readonly watched: WatchList;
    /** Micro-batches of the jobs that are looked at together, at most. */
    readonly budget: number;
    /** Milliseconds between two looks at the chain's time while a job is executed. */
    readonly lookEvery: number;
    /** Whether it looks at a job. */
    readonly isMeant: (jobId: bigint) => boolean;
  };

/** A commitment of a job that is to be looked at, with the order of what it is about. */
type Commitment = {
  readonly job: JobRecord;
  /** As the game names it. */
  readonly claimId: bigint;
  /** Steps that it is about. */
  readonly steps: number;
  readonly interval: number;
  readonly microBatches: number;
  readonly result: CommittedResult;
};

/**
 * Executes committed jobs again, as far as they are committed to, and challenges the first interval that comes out
 * differently. Every checkpoint is a commitment of its own.
 */
export class Inspector implements Duty {
  readonly name = "inspecting";
  readonly #parts: InspectorParts;

  constructor(parts: InspectorParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, client, watched, budget, isMeant } = this.#parts;
    const now = await chainTime(client);
    const committed = ledger
      .openJobs()
      .filter((job) => isMeant(job.jobId) && isRunning(job) && job.provider !== operator)
      .flatMap((job) => commitmentsOf(job))
      .filter(({ result }) => now <= result.challengeUntil)
      // What can be challenged longest waits longest.
      .sort((a, b) => Number(deadlineOf(a) - deadlineOf(b)));
    watched.add(
      committed.map(({ claimId, steps, microBatches }) => ({ jobId: claimId, cost: steps * microBatches })),
      budget,
    );
    await forEach(committed, async (commitment) => {
      if (watched.verdict(commitment.claimId) !== "open") return;
      // The dispute that is on is played from the same run: it would have to wait for the whole training.
      if (this.#isDisputing(commitment.job)) return;
      await this.#inspectInTime(commitment, signal);
    });
  }

  #isDisputing({ jobId }: JobRecord): boolean {
    const { ledger, operator } = this.#parts;
    return ledger.challengesOf(jobId).some((challenge) => {
      return challenge.challenger === operator && turnOf(challenge) !== undefined;
    });
  }

  /** A job that takes longer than it can be challenged must not keep the others waiting. */
  async #inspectInTime(commitment: Commitment, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const late = new AbortController();
    const done = new AbortController();
    const watching = this.#untilLate(commitment, done.signal).then((isPast) => {
      if (isPast) late.abort(new Error("the time to challenge is over"));
    });
    try {
      await this.#inspect(commitment, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (!late.signal.aborted || signal.aborted) throw error;
      const { jobId } = commitment.job;
      log.warn({ jobId }, "this job takes longer than it can be challenged: left");
      this.#parts.watched.decide(commitment.claimId, "skipped");
    } finally {
      done.abort();
      await watching;
    }
  }

  /** Waits until a commitment cannot be challenged any more, or the signal ends the wait; says whether it cannot. */
  async #untilLate(commitment: Commitment, signal: AbortSignal): Promise<boolean> {
    const { lookEvery } = this.#parts;
    for (;;) {
      await delay(lookEvery, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return false;
      // An endpoint that does not answer says nothing of the time.
      if (await this.#isLate(commitment).catch(() => false)) return true;
    }
  }

  async #isLate({ job: { jobId }, claimId, result }: Commitment): Promise<boolean> {
    const { ledger, client, contracts } = this.#parts;
    const job = ledger.job(jobId);
    if (job === undefined || !isRunning(job)) return true;
    // A committee that attests shortens the time of the last commitment.
    const until =
      claimId === jobId
        ? (await contracts.JobRegistry.read.jobOf([jobId])).challengeUntil
        : result.challengeUntil;
    return (await chainTime(client)) > until;
  }

  async #inspect(commitment: Commitment, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const { job, steps } = commitment;
    const { jobId } = job;
    let opened: JobRun;
    try {
      opened = await openJobRun(this.#parts, job, signal);
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      await this.#showVoid(job, error);
      this.#decide(commitment, "unreadable");
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      return;
    }
    try {
      await trainJobUpTo(this.#parts, opened, { until: steps, signal });
      await this.#compare(commitment, opened, await this.#leaves(commitment, opened, signal), signal);
    } finally {
      await opened.job.close();
    }
  }

  /** A program that breaks the rules of the tape ends its job, whatever was computed. */
  async #showVoid({ jobId, order }: JobRecord, error: unknown): Promise<void> {
    const evidence = voidEvidence(error, order.problem.programRoot);
    if (evidence === undefined) return;
    const { tape, index, descriptor, siblings } = evidence;
    const args = [jobId, tape, index, descriptor, siblings] as const;
    if (await tryCall(this.#parts, `show-void:${jobId}`, "DisputeGame", "showVoid", args)) {
      this.#parts.log.warn({ jobId, tape, index }, "showed that the program is void");
    }
  }

  #decide({ claimId, steps, interval }: Commitment, verdict: "right" | "wrong" | "unreadable"): void {
    const { watched, metrics } = this.#parts;
    watched.decide(claimId, verdict);
    metrics.checked(verdict, traceLength(steps, interval) - 1);
  }

  /** The leaves that were published; undefined when they are withheld. */
  async #leaves(
    { job: { jobId }, steps, result }: Commitment,
    { job, folder }: JobRun,
    signal: AbortSignal,
  ): Promise<readonly OpenedLeaf[] | undefined> {
    const { storage, log } = this.#parts;
    try {
      const order = { ...job.order, steps };
      const { program } = job.compiled;
      const { leaves, state } = await fetchResult({ storage, program, order, result, folder, signal });
      if (state === undefined) {
        log.warn(
          { jobId },
          "what is stored is not the state that was committed to; the game cannot rule on that",
        );
      }
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

  async #compare(
    commitment: Commitment,
    { job: { source, options }, run }: JobRun,
    leaves: readonly OpenedLeaf[] | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { executor, log } = this.#parts;
    const { claimId, steps, result } = commitment;
    const { jobId } = commitment.job;
    const whole = new FolderRun({ run, source, executor, options, signal });
    const own = claimedPart(whole, { steps: BigInt(steps) });
    try {
      const [stateRoot] = await own.stateRoots([steps]);
      if (leaves === undefined && stateRoot === result.stateRoot) {
        log.info({ jobId }, "the result is right; its leaves are withheld");
        this.#decide(commitment, "right");
        return;
      }
      const move = await openingMove(own, result, leaves);
      if (move === undefined) {
        this.#decide(commitment, "right");
        log.info({ jobId }, "every interval of this job is right");
        return;
      }
      await challenge(this.#parts, claimId, move);
      this.#decide(commitment, "wrong");
      log.warn({ jobId, interval: "interval" in move ? move.interval : undefined }, "challenged");
    } finally {
      await whole.close();
    }
  }
}

/** When a commitment must be challenged by, as far as its events tell: a committee's decision ends the time that it may take. */
function deadlineOf({ job, claimId, result: { challengeUntil } }: Commitment): bigint {
  const hasCommittee = claimId === job.jobId && job.order.conditions.committeeSize !== 0;
  return hasCommittee ? challengeUntil - mostPending : challengeUntil;
}

/** Commitments of a job, checkpoints first; none of an order that cannot be read. */
function commitmentsOf(job: JobRecord): Commitment[] {
  const { jobId, training, checkpoints, result } = job;
  let order: Pick<TrainingOrder, "steps" | "interval" | "microBatches">;
  try {
    order = decodeOrder(training);
  } catch (error) {
    if (error instanceof BadInputError) return [];
    throw error;
  }
  const { interval, microBatches } = order;
  const name = (checkpoint: number) => {
    return { job, claimId: claimIdOf({ jobId, checkpoint }), interval, microBatches };
  };
  const partial = checkpoints.map((posted) => ({
    ...name(posted.number),
    steps: posted.steps,
    result: posted,
  }));
  return result === undefined ? partial : [...partial, { ...name(0), steps: order.steps, result }];
}
