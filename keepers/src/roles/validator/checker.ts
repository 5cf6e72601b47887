import type { Hex } from "viem";
import { digestOf, intervalsOf, witnessesHash } from "../../core/attestation/statement.ts";
import { BadInputError } from "../../core/errors.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import { type LimitOptions, limited, unlessOver } from "../jobs/in-time.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun } from "../jobs/job-run.ts";
import { Looks } from "../jobs/looks.ts";
import { type MoveCost, moveCostOf, problemOfCost } from "../jobs/move-cost.ts";
import { memberClocksOf, mostSecondsOfMove } from "../jobs/move-time.ts";
import { type FetchedResult, obtainResult } from "../jobs/result.ts";
import { type InTurn, ShortestFirst } from "../jobs/shortest-first.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import { agreedOn, surelyNow } from "../storage-node/agreement.ts";
import { chainTime } from "../storage-node/context.ts";
import type { Check, CheckBook } from "./check-book.ts";
import type { Committees, Seat } from "./committees.ts";
import { keepState } from "./kept-intervals.ts";
import { type RecomputedRun, type RecomputingParts, recomputedRun } from "./recomputing.ts";

export type CheckerParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "most" | "patience"> & {
    readonly all: Committees;
    readonly book: CheckBook;
    /** Milliseconds before a trace that could not be had is asked for again, and between two looks at what can still be signed. */
    readonly lookEvery: number;
  } & Pick<RecomputingParts, "budget" | "handedOver">;

/** A seat, as long as it can be signed. */
type Sitting = {
  readonly seat: Pick<Seat, "job" | "draw" | "position">;
  /** Chain seconds for which its draw can still be signed. */
  readonly secondsLeft: () => Promise<number>;
  readonly signal: AbortSignal;
};

type Executing = Omit<Sitting, "signal"> & {
  readonly run: RecomputedRun;
  /** That a step takes. */
  readonly seconds: number;
};

/**
 * Executes the intervals again that were drawn for this member, once for each draw. As far as its budget reaches, the run
 * is computed again from its first state up to the end of the last interval: what is found right is right from the beginning.
 * Beyond that each interval is computed from a state that the provider hands over or has stored, once a leaf bears it out:
 * what is found right is right from there on. Steps are executed, or verified from their sums where that is cheaper.
 * A member vouches for no result whose last state is not stored as it was committed to.
 *
 * Whoever orders a job chooses how long it takes. So what takes least is computed first; what can be signed no more is left,
 * and what cannot be computed in the time that is left to sign it, or within the budget, is given up before it is begun. So is an
 * interval that takes longer than each accusation of it adds to the time to answer: being silent costs a member less.
 */
export class Checker implements Duty {
  readonly name = "checking";
  readonly #parts: CheckerParts;
  /** By job and attempt: holders of one that never end their answer must not cost a member the time to sign another. */
  readonly #looks: Looks<string>;
  readonly #computing = new ShortestFirst();
  /** Seconds that a step of a job takes here. */
  readonly #measured = new Map<bigint, Promise<number>>();
  /** What answering an accusation takes here besides the steps before the one in dispute. */
  readonly #costs = new Map<bigint, Promise<MoveCost>>();

  constructor(parts: CheckerParts) {
    this.#parts = parts;
    this.#looks = new Looks({ most: parts.most, patience: parts.patience, pause: parts.lookEvery });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { all, book } = this.#parts;
    const seats = await all.seats();
    for (const known of [this.#measured, this.#costs])
      for (const jobId of known.keys())
        if (!seats.some(({ draw }) => draw.jobId === jobId)) known.delete(jobId);
    const due = () => {
      const open = seats.filter(({ draw }) => book.check(draw) === undefined);
      return new Map(open.map((seat) => [`${seat.draw.jobId}:${seat.draw.attempt}`, seat]));
    };
    await this.#looks.round(due, (seat) => this.#checkInTime(seat, signal));
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#looks.settled();
  }

  /** Checks a seat for as long as its draw can be signed: nothing is said of what has taken longer. */
  async #checkInTime(seat: Seat, signal: AbortSignal): Promise<boolean> {
    const { log, lookEvery } = this.#parts;
    const begun = await surelyNow(this.#parts);
    const secondsLeft = () => this.#secondsLeft(seat, begun);
    const isDone = await unlessOver((stop) => this.#check(seat, secondsLeft, stop), {
      isOver: async () => (await secondsLeft()) < 0,
      lookEvery,
      signal,
    });
    if (isDone === undefined)
      log.warn({ jobId: seat.draw.jobId }, "this job takes longer than it can be signed: left");
    return isDone ?? false;
  }

  /**
   * Chain seconds for which a draw can be signed, by the chain itself: events are not followed meanwhile. A timeout that nobody
   * calls leaves it open for ever; then it has the grace, after which others come first.
   */
  async #secondsLeft({ draw }: Pick<Seat, "draw">, begun: bigint): Promise<number> {
    const { all } = this.#parts;
    const left = await agreedOn(
      this.#parts,
      "whether a draw can be signed",
      async ({ contracts, client }) => {
        const [{ phase, attempt, deadline, graceEnds }, { grace }, now] = await Promise.all([
          all.read(draw.jobId, contracts),
          contracts.Committee.read.termsOf([draw.jobId]),
          chainTime(client),
        ]);
        if (phase !== "Signing" || attempt !== draw.attempt) return -1;
        const called = deadline > begun ? deadline : begun;
        return Number((graceEnds === 0n ? called + BigInt(grace) : graceEnds) - now);
      },
    );
    return left ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Writes down what a member's intervals come to, and says whether it has. Nothing is said of a trace whose leaves cannot be
   * had.
   */
  async #check(
    { job, draw, position }: Seat,
    secondsLeft: () => Promise<number>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { book, fetchTime, log, metrics } = this.#parts;
    const limit = { seconds: fetchTime, signal };
    const { jobId } = job;
    let opened: JobRun;
    try {
      opened = await limited((stop) => openJobRun(this.#parts, job, stop), limit);
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      // What was fetched may have been wrong, not the job: it is fetched again, as long as the draw can be signed.
      if (!(error instanceof OrderRefusedError)) return false;
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
          : await this.#compute(opened, leaves, { seat, secondsLeft, signal });
      book.write(draw, check);
      metrics.checked(check.verdict, intervalsOf(draw, position).length);
      return true;
    } finally {
      await opened.job.close();
    }
  }

  async #compute(opened: JobRun, leaves: readonly OpenedLeaf[], sitting: Sitting): Promise<Check> {
    const { seat, signal } = sitting;
    // Nothing is executed before it is known how much there is.
    let inTurn: InTurn = (part) => part();
    const run = recomputedRun(this.#parts, opened, leaves, seat, { signal, inTurn: (part) => inTurn(part) });
    try {
      const [first] = intervalsOf(seat.draw, seat.position);
      const { all } = await run.ahead(first!, 0);
      const seconds = await this.#secondsPerStep(seat.job, opened, signal);
      const problem = await this.#problemOfAccusations(seat.job, opened, seconds, signal);
      if (problem !== undefined) {
        const given = { jobId: seat.job.jobId, reason: problem };
        this.#parts.log.warn(
          given,
          "given up: accusations of its intervals could not be answered in their time",
        );
        return { verdict: "unreadable", digests: [] };
      }
      return await this.#computing.run(all * seconds, (turn) => {
        inTurn = turn;
        return this.#execute(opened, leaves, { ...sitting, run, seconds });
      });
    } finally {
      await run.close();
    }
  }

  /** Measured once for each job. */
  #secondsPerStep(
    { jobId }: Pick<JobRecord, "jobId">,
    { job }: JobRun,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#once(this.#measured, jobId, () => secondsPerStep(this.#parts.executor, job, signal));
  }

  /** Why an accusation of an interval could not be answered here in its time; undefined when it can. */
  async #problemOfAccusations(
    { jobId }: Pick<JobRecord, "jobId">,
    { job, run }: JobRun,
    seconds: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const most = 2 * mostSecondsOfMove(await memberClocksOf(this.#parts, jobId));
    const replayed = run.order.interval * seconds;
    // What takes too long already is not measured further: whoever orders a job chooses how long that would take.
    if (replayed > most) {
      return `an interval takes ${Math.ceil(replayed)} s here: a move of a dispute is to take ${Math.floor(most)} s`;
    }
    const measure = () => moveCostOf(this.#parts.executor, job, signal);
    return problemOfCost(await this.#once(this.#costs, jobId, measure), most - replayed);
  }

  /** Two that were measured at once would seem to take longer than they do. */
  #once<T>(known: Map<bigint, Promise<T>>, jobId: bigint, measure: () => Promise<T>): Promise<T> {
    const measured = known.get(jobId) ?? this.#computing.run(0, (inTurn) => inTurn(measure));
    known.set(jobId, measured);
    measured.catch(() => known.delete(jobId));
    return measured;
  }

  async #execute(
    opened: JobRun,
    leaves: readonly OpenedLeaf[],
    { seat: { draw, position }, secondsLeft, run, seconds }: Executing,
  ): Promise<Check> {
    const { log, book, budget = Number.POSITIVE_INFINITY } = this.#parts;
    const { order } = opened.run;
    const { own } = run;
    const digests: Hex[] = [];
    let [reached, before] = [0, 0];
    for (const interval of intervalsOf(draw, position)) {
      const ahead = await run.ahead(interval, reached);
      before += ahead.before;
      const given = { jobId: draw.jobId, interval, steps: ahead.all };
      if (run.isLong && before * order.microBatches > budget) {
        log.warn(given, "given up: no state that is handed over or stored is within the budget");
        return { verdict: "unreadable", digests: [] };
      }
      if (ahead.all * seconds > (await secondsLeft())) {
        log.warn(
          { ...given, seconds: ahead.all * seconds },
          "given up: it cannot be computed in the time to sign",
        );
        return { verdict: "unreadable", digests: [] };
      }
      const [start, end] = [interval, interval + 1].map((leaf) =>
        Math.min(leaf * order.interval, order.steps),
      );
      // Forward only: going back would execute steps twice.
      const [rootBefore] = await own.stateRoots([start!]);
      const isBefore = rootBefore === leaves[interval]?.stateRoot;
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
      reached = end!;
    }
    log.info({ jobId: draw.jobId, digests: digests.length }, "this member's intervals are right");
    return { verdict: "right", digests };
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
