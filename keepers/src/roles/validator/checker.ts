import type { Hex } from "viem";
import { digestOf, intervalsOf, witnessesHash } from "../../core/attestation/statement.ts";
import { BadInputError } from "../../core/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import { type LimitOptions, limited } from "../jobs/in-time.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun } from "../jobs/job-run.ts";
import { Looks } from "../jobs/looks.ts";
import { OneAtATime } from "../jobs/one-at-a-time.ts";
import { type FetchedResult, obtainResult } from "../jobs/result.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import type { Check, CheckBook } from "./check-book.ts";
import type { Committees, Seat } from "./committees.ts";
import { keepState } from "./kept-intervals.ts";
import { type RecomputingParts, recomputedRun } from "./recomputing.ts";

export type CheckerParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "most" | "patience"> & {
    readonly all: Committees;
    readonly book: CheckBook;
    /** Milliseconds before a trace that could not be had is asked for again. */
    readonly lookEvery: number;
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
  /** By job and attempt: holders of one that never end their answer must not cost a member the time to sign another. */
  readonly #looks: Looks<string>;
  readonly #computing = new OneAtATime();

  constructor(parts: CheckerParts) {
    this.#parts = parts;
    this.#looks = new Looks({ most: parts.most, patience: parts.patience, pause: parts.lookEvery });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { all, book } = this.#parts;
    const seats = await all.seats();
    const due = () => {
      const open = seats.filter(({ draw }) => book.check(draw) === undefined);
      return new Map(open.map((seat) => [`${seat.draw.jobId}:${seat.draw.attempt}`, seat]));
    };
    await this.#looks.round(due, (seat) => this.#check(seat, signal));
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#looks.settled();
  }

  /**
   * Writes down what a member's intervals come to, and says whether it has. Nothing is said of a trace whose leaves cannot be
   * had.
   */
  async #check({ job, draw, position }: Seat, signal: AbortSignal): Promise<boolean> {
    const { book, fetchTime, log, metrics } = this.#parts;
    const limit = { seconds: fetchTime, signal };
    const { jobId } = job;
    let opened: JobRun;
    try {
      opened = await limited((stop) => openJobRun(this.#parts, job, stop), limit);
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      book.write(draw, { verdict: "unreadable", digests: [] });
      metrics.checked("unreadable", intervalsOf(draw, position).length);
      return true;
    }
    try {
      const { leaves, state } = await this.#stored(job, opened, limit);
      if (leaves === undefined) return false;
      const seat = { job, draw, position };
      const check: Check =
        state === undefined
          ? { verdict: "wrong", digests: [] }
          : await this.#computing.run(() => this.#execute(opened, leaves, seat, signal));
      book.write(draw, check);
      metrics.checked(check.verdict, intervalsOf(draw, position).length);
      return true;
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
    const { log, book } = this.#parts;
    const { order } = opened.run;
    const { own, close } = recomputedRun(this.#parts, opened, leaves, { job, draw, position }, signal);
    try {
      const digests: Hex[] = [];
      for (const interval of intervalsOf(draw, position)) {
        const [start, end] = [interval, interval + 1].map((leaf) =>
          Math.min(leaf * order.interval, order.steps),
        );
        // Forward only: going back would execute steps twice.
        const [before] = await own.stateRoots([start!]);
        const isBefore = before === leaves[interval]?.stateRoot;
        // Whoever signs may have to answer for it.
        if (isBefore) await keepState(opened.folder, interval, own.program, await own.state(start!));
        const witnesses = await own.witnesses(interval);
        const [after] = await own.stateRoots([end!]);
        const isRight = after === leaves[interval + 1]?.stateRoot;
        if (isBefore) book.writeInterval(draw, interval, isRight ? witnessesHash(witnesses) : null);
        if (!isBefore || !isRight) {
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
    limit: LimitOptions,
  ): Promise<Partial<FetchedResult>> {
    const { storage, log } = this.#parts;
    const fetched = await obtainResult(
      { storage, program: compiled.program, order, result: result!, folder },
      {
        ...limit,
        onNothing: (reason) => log.warn({ jobId, reason }, "the leaves of this job cannot be had"),
      },
    );
    if (fetched === undefined) return {};
    if (fetched.leaves === undefined) log.warn({ jobId }, "what is stored holds no leaves of this job");
    // The bytes were held against the dataset's root: no later look can find others.
    else if (fetched.state === undefined)
      log.error({ jobId }, "what is stored is not the state that was committed to");
    return fetched;
  }
}
