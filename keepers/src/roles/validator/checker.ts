import type { Hex } from "viem";
import { digestOf, intervalsOf, witnessesHash } from "../../core/attestation/statement.ts";
import { BadInputError } from "../../core/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { NotEnoughBundlesError } from "../../storage/client/errors.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun } from "../jobs/job-run.ts";
import { type FetchedResult, fetchResult } from "../jobs/result.ts";
import type { Check, CheckBook } from "./check-book.ts";
import type { Committees, Seat } from "./committees.ts";
import { type RecomputingParts, recomputedRun } from "./recomputing.ts";

export type CheckerParts = JobContext &
  ComputeParts & {
    readonly all: Committees;
    readonly book: CheckBook;
  } & Pick<RecomputingParts, "budget" | "handedOver">;

/**
 * Executes the intervals again that were drawn for this member, once for each draw. As far as its budget reaches, the run
 * is computed again from its first state up to the end of the last interval: what is found right is right from the beginning.
 * Beyond that each interval is computed from a state that the provider hands over or has stored, once a leaf bears it out:
 * what is found right is right from there on. Steps are executed, or verified from their sums where that is cheaper.
 * A member vouches for no result whose last state is not stored as it was committed to.
 */
export class Checker implements Duty {
  readonly name = "checking";
  readonly #parts: CheckerParts;

  constructor(parts: CheckerParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { all, book } = this.#parts;
    await forEach(await all.seats(), async (seat) => {
      if (book.check(seat.draw) === undefined) await this.#check(seat, signal);
    });
  }

  /** Writes down what a member's intervals come to. Nothing is said of a trace whose leaves cannot be had. */
  async #check({ job, draw, position }: Seat, signal: AbortSignal): Promise<void> {
    const { book, log, metrics } = this.#parts;
    const { jobId } = job;
    let opened: JobRun;
    try {
      opened = await openJobRun(this.#parts, job, signal);
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      book.write(draw, { verdict: "unreadable", digests: [] });
      metrics.checked("unreadable", intervalsOf(draw, position).length);
      return;
    }
    try {
      const { leaves, state } = await this.#stored(job, opened, signal);
      if (leaves !== undefined) {
        const check: Check =
          state === undefined
            ? { verdict: "wrong", digests: [] }
            : await this.#execute(opened, leaves, { job, draw, position }, signal);
        book.write(draw, check);
        metrics.checked(check.verdict, intervalsOf(draw, position).length);
      }
    } finally {
      await opened.job.close();
    }
  }

  async #execute(
    opened: JobRun,
    leaves: readonly OpenedLeaf[],
    { job, draw, position }: Pick<Seat, "job" | "draw" | "position">,
    signal: AbortSignal,
  ): Promise<Check> {
    const { log } = this.#parts;
    const { order } = opened.run;
    const { own, close } = recomputedRun(this.#parts, opened, leaves, { job, draw, position }, signal);
    try {
      const digests: Hex[] = [];
      for (const interval of intervalsOf(draw, position)) {
        const [start, end] = [interval, interval + 1].map((leaf) =>
          Math.min(leaf * order.interval, order.steps),
        );
        // Forward only: going back would execute steps twice.
        const before = await own.stateRoots([start!]);
        const witnesses = await own.witnesses(interval);
        const roots = [...before, ...(await own.stateRoots([end!]))];
        if (roots.some((root, i) => root !== leaves[interval + i]?.stateRoot)) {
          log.error({ jobId: draw.jobId, interval }, "the trace is wrong at or before this interval");
          return { verdict: "wrong", digests: [] };
        }
        const member = draw.members[position]!;
        digests.push(digestOf(draw, draw.jobId, member, interval, witnessesHash(witnesses)));
      }
      log.info({ jobId: draw.jobId, digests: digests.length }, "this member's intervals are right");
      return { verdict: "right", digests };
    } finally {
      await close();
    }
  }

  /**
   * What is stored of a result, as far as it is what was committed to: a trace that is right is worth nothing to a consumer
   * who cannot have its last state. Nothing, when it is withheld.
   */
  async #stored(
    { jobId, result }: JobRecord,
    { job: { order, compiled }, folder }: JobRun,
    signal: AbortSignal,
  ): Promise<Partial<FetchedResult>> {
    const { storage, log } = this.#parts;
    const parameters = { storage, program: compiled.program, order, result: result!, folder, signal };
    try {
      const fetched = await fetchResult(parameters);
      if (fetched.leaves === undefined) log.warn({ jobId }, "what is stored holds no leaves of this job");
      // The bytes were held against the dataset's root: no later look can find others.
      else if (fetched.state === undefined)
        log.error({ jobId }, "what is stored is not the state that was committed to");
      return fetched;
    } catch (error) {
      signal.throwIfAborted();
      const isWithheld = error instanceof NotEnoughBundlesError || error instanceof BadInputError;
      if (!isWithheld && !(error instanceof OrderRefusedError)) throw error;
      log.warn({ jobId, reason: error.message }, "the leaves of this job cannot be had");
      return {};
    }
  }
}
