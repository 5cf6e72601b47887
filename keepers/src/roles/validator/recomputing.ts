import { intervalsOf } from "../../core/attestation/statement.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { decodeState, type OpenedLeaf, stateFileBytes } from "../../core/exact/result-files.ts";
import { ExecutedRun } from "../../training/dispute/own-run.ts";
import type { StateAt } from "../../training/dispute/replayer.ts";
import type { Engine } from "../../training/executors/ort.ts";
import { CheapestWay, type WayChooser } from "../../training/freivalds/cheapest-way.ts";
import { openCheckedSession } from "../../training/freivalds/checked-session.ts";
import { accumulatorBytes } from "../../training/freivalds/serialize.ts";
import { stateRootOf } from "../../training/trace/commitments.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import type { JobRun } from "../jobs/job-run.ts";
import { publishedState } from "../jobs/result.ts";
import type { InTurn } from "../jobs/shortest-first.ts";
import { takingTurns } from "../jobs/taking-turns.ts";
import type { Seat } from "./committees.ts";
import type { OpenIntervalSource } from "./interval-source.ts";

/** How a validator uses what providers hand over. */
export type HandedOver = {
  readonly open: OpenIntervalSource;
  /** What steps are verified with. */
  readonly engine: Engine;
  /** What the link to a provider carries, in bytes a second; sums are asked for where they cost less than they save. */
  readonly bytesPerSecond: number;
  /** Decides how steps are computed again; by what either way costs by default. */
  readonly chooser?: () => WayChooser;
};

export type RecomputingParts = Pick<JobContext, "log" | "metrics"> &
  Pick<ComputeParts, "executor"> & {
    /** Micro-batches that are executed for one seat, those of its own intervals aside where it is longer; any number by default. */
    readonly budget?: number;
    /** Nothing is asked of providers when it is left out. */
    readonly handedOver?: HandedOver;
  };

/** What is to be executed from an interval of a seat on. */
export type Ahead = {
  /** Steps that lead to the interval. */
  readonly before: number;
  /** These, and what is known to come after them. */
  readonly all: number;
};

/** A seat's run that is computed again. */
export type RecomputedRun = {
  readonly own: ExecutedRun;
  /** Whether all of it is more than the budget: each interval begins at a state of its own. */
  readonly isLong: boolean;
  /** @param reached steps that it was computed for already */
  ahead(interval: number, reached: number): Promise<Ahead>;
  close(): Promise<void>;
};

/** Milliseconds for which a seat waits for its provider in all: a slow one must not cost the time to sign. */
const mostWaiting = 10 * 60_000;

/**
 * A seat's run, to be computed again by the cheaper way: from the first state on as far as the budget reaches; beyond it each
 * interval from the state before it that the provider hands over, or else from a stored checkpoint, once a leaf bears it out.
 */
export function recomputedRun(
  { executor, log, metrics, budget = Number.POSITIVE_INFINITY, handedOver }: RecomputingParts,
  { run: { program, order }, job: { source, options }, folder }: JobRun,
  leaves: readonly OpenedLeaf[],
  { job: { provider }, draw, position }: Pick<Seat, "job" | "draw" | "position">,
  { signal, inTurn }: { readonly signal: AbortSignal; readonly inTurn: InTurn },
): RecomputedRun {
  const { jobId } = draw;
  const intervals = intervalsOf(draw, position);
  const endOf = (interval: number) => Math.min((interval + 1) * order.interval, order.steps);
  const end = endOf(Math.max(...intervals));
  const isLong = end * order.microBatches > budget;
  const first: StateAt = { step: 0, state: initialState(program, order.seed) };
  const shown = handedOver?.open(provider!, jobId);
  const waiting = new Waiting(mostWaiting, signal);

  const shownState = async (interval: number): Promise<StateAt | undefined> => {
    if (shown === undefined) return undefined;
    try {
      const bytes = stateFileBytes(program);
      const state = decodeState(program, await waiting.for((stop) => shown.state(interval, bytes, stop)));
      if (stateRootOf(program, state) === leaves[interval]!.stateRoot) {
        return { step: interval * order.interval, state };
      }
      log.warn({ jobId, interval }, "the provider hands over another state than it committed to");
    } catch (error) {
      signal.throwIfAborted();
      log.debug({ jobId, interval, reason: (error as Error).message }, "the provider hands over no state");
    }
    return undefined;
  };

  const storedState = async (step: number): Promise<StateAt> => {
    const onWrong = (leaf: number) =>
      log.warn({ jobId, leaf }, "a stored checkpoint is not what it should be");
    return (await publishedState({ program, order, folder, leaves, onWrong }, step)) ?? first;
  };

  const found = async (step: number): Promise<StateAt> => {
    const interval = step / order.interval;
    const isStart = interval > 0 && intervals.includes(interval);
    return (isStart ? await shownState(interval) : undefined) ?? (await storedState(step));
  };
  let last: { readonly step: number; readonly state: Promise<StateAt> } | undefined;
  const nearest = (step: number): Promise<StateAt> => {
    if (!isLong) return Promise.resolve(first);
    // One is kept: a state may be large.
    if (last?.step !== step) last = { step, state: found(step) };
    return last.state;
  };

  const ahead = async (interval: number, reached: number): Promise<Ahead> => {
    const start = interval * order.interval;
    const { step } = await nearest(start);
    const before = Math.max(0, start - Math.max(step, reached));
    if (!isLong) return { before, all: end - reached };
    const left = intervals.filter((each) => each >= interval);
    return { before, all: left.reduce((sum, each) => sum + endOf(each) - each * order.interval, before) };
  };

  const openSession = () => {
    if (handedOver === undefined || shown === undefined) return undefined;
    const { microBatches } = order;
    const { engine, bytesPerSecond } = handedOver;
    const chooser = handedOver.chooser?.() ?? new CheapestWay({ program, microBatches, bytesPerSecond });
    const bytes = microBatches * accumulatorBytes(program);
    const offered = (step: number) => {
      const interval = Math.floor(step / order.interval);
      if (!intervals.includes(interval)) return 0;
      return endOf(interval) - step;
    };
    const sums = (step: number) => waiting.for((stop) => shown.sums(step, bytes, stop));
    return (firstStep: number) =>
      openCheckedSession({
        ...{ program, options, executor, engine, firstStep, chooser },
        source: { offered, sums },
        onSteps: (way, steps) => metrics.recomputed(way, steps),
        onGivenUp: (step, reason) =>
          log.warn({ jobId, step, reason }, "a step is executed: its sums do not bear it"),
      });
  };

  const openAny = openSession() ?? (() => executor.open(program, options));
  const open = async (firstStep: number) => {
    const session = await inTurn(() => {
      signal.throwIfAborted();
      return openAny(firstStep);
    });
    return takingTurns(session, inTurn, signal);
  };
  const own = new ExecutedRun({ program, order, source, executor, options, nearest, open, signal });
  return {
    own,
    isLong,
    ahead,
    async close() {
      await own.close();
      await shown?.close();
    },
  };
}

/** A bounded time to wait in, over all that is waited for. */
class Waiting {
  #left: number;
  readonly #signal: AbortSignal;

  constructor(milliseconds: number, signal: AbortSignal) {
    this.#left = milliseconds;
    this.#signal = signal;
  }

  async for<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work(
        AbortSignal.any([this.#signal, AbortSignal.timeout(Math.max(1, Math.ceil(this.#left)))]),
      );
    } finally {
      this.#left -= performance.now() - start;
    }
  }
}
