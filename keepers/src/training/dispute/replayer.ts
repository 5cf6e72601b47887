import type { Hex } from "viem";
import { intervalOf, samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import type { ObjectSource } from "../data/types.ts";
import type { StepInput, TrainingSession } from "../executors/types.ts";
import { RunHasher } from "../trace/commitments.ts";
import { BatchReader, stepsAtATime } from "../trainer/batches.ts";
import { RunEvidenceError } from "./errors.ts";

/** The state after so many steps. */
export type StateAt = { readonly step: number; readonly state: readonly Int32Array[] };

/**
 * Opens a session whose first step is `firstStep`, and which may change what it is told to compute: what it puts out is
 * what the run claims.
 */
export type OpenSession = (firstStep: number) => Promise<TrainingSession>;

export type ReplayerParameters = {
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly source: ObjectSource;
  readonly open: OpenSession;
  /** The newest state that is known, after `step` steps or fewer. */
  readonly nearest: (step: number) => Promise<StateAt>;
  readonly signal?: AbortSignal;
};

/** States that are kept: those at the newest leaves of the trace, and one between them. */
const leafStatesKept = 2;
const otherStatesKept = 1;
export const statesKept = leafStatesKept + otherStatesKept;
/** Hashes that are kept: two of the longest intervals. */
const hashesKept = 2_048;

/**
 * Executes a run again from states that are known, and keeps little of it. Calls must wait for each other.
 *
 * Every call throws RunEvidenceError where no state before the one asked for is known, and what engine and source throw.
 */
export class Replayer {
  readonly #parameters: ReplayerParameters;
  readonly #reader: BatchReader;
  readonly #hasher: RunHasher;
  readonly #leafStates: StateAt[] = [];
  readonly #otherStates: StateAt[] = [];
  readonly #roots = new Map<number, Hex>();
  readonly #witnesses = new Map<number, Hex>();
  #under: { readonly session: TrainingSession; step: number } | undefined;

  constructor(parameters: ReplayerParameters) {
    this.#parameters = parameters;
    this.#reader = new BatchReader({ source: parameters.source, order: samplesOf(parameters.order) });
    this.#hasher = new RunHasher(parameters.program);
  }

  async close(): Promise<void> {
    const { session } = this.#under ?? {};
    this.#under = undefined;
    await session?.close();
  }

  /** Lets go of the states that are kept; their hashes stay. */
  forgetStates(): void {
    this.#leafStates.length = 0;
    this.#otherStates.length = 0;
  }

  /** State roots after so many steps, for each of them. */
  async roots(steps: readonly number[]): Promise<Hex[]> {
    const found = new Map<number, Hex>();
    for (const step of [...steps].sort((a, b) => a - b)) {
      const known = this.#roots.get(step);
      if (known === undefined) await this.#reach(step);
      found.set(step, known ?? this.#roots.get(step)!);
    }
    return steps.map((step) => found.get(step)!);
  }

  /** Witness commitments of an interval's steps. */
  async witnesses(interval: number): Promise<Hex[]> {
    const { firstStep, steps } = intervalOf(this.#parameters.order, interval);
    const wanted = Array.from({ length: steps }, (_, i) => firstStep + i);
    const first = wanted.find((step) => !this.#witnesses.has(step));
    if (first !== undefined) {
      await this.#seek(first);
      await this.#run(firstStep + steps);
    }
    return wanted.map((step) => this.#witnesses.get(step)!);
  }

  /** The state after so many steps. */
  async state(step: number): Promise<readonly Int32Array[]> {
    const kept = this.#kept.find((each) => each.step === step);
    if (kept !== undefined) return kept.state;
    const state = await this.#reach(step);
    keep(this.#otherStates, { step, state }, otherStatesKept);
    return state;
  }

  /** What a step reads besides the state. */
  async input(step: number): Promise<StepInput> {
    const [objects] = await this.#reader.take(step, step + 1);
    return { objects: objects!, learningRate: learningRateAt(this.#parameters.order.schedule, step) };
  }

  get #kept(): StateAt[] {
    return [...this.#leafStates, ...this.#otherStates];
  }

  /** Computes the state after so many steps; its root is kept, and the state at a leaf. */
  async #reach(step: number): Promise<readonly Int32Array[]> {
    await this.#seek(step);
    const state = await this.#under!.session.getState();
    remember(this.#roots, step, this.#hasher.state(state));
    if (step % this.#parameters.order.interval === 0) keep(this.#leafStates, { step, state }, leafStatesKept);
    return state;
  }

  /** Steps between two looks at the signal: whoever ordered them chooses how long each takes. */
  get #stepsOfACall(): number {
    const { order } = this.#parameters;
    return Math.min(stepsAtATime(order), order.interval);
  }

  /** Brings the session to just before a step. */
  async #seek(step: number): Promise<void> {
    const known = [await this.#parameters.nearest(step), ...this.#kept].filter((each) => each.step <= step);
    if (known.length === 0) {
      throw new RunEvidenceError(
        `The state after ${step} steps cannot be computed: none before it is known.`,
      );
    }
    const start = known.reduce((best, each) => (each.step > best.step ? each : best));
    const at = this.#under?.step;
    if (at === undefined || at > step || at < start.step) {
      await this.close();
      const session = await this.#parameters.open(start.step);
      await session.setState(start.state);
      this.#under = { session, step: start.step };
    }
    await this.#run(step);
  }

  async #run(to: number): Promise<void> {
    const { order, signal } = this.#parameters;
    const under = this.#under!;
    while (under.step < to) {
      signal?.throwIfAborted();
      const from = under.step;
      const end = Math.min(to, from + this.#stepsOfACall);
      const batches = await this.#reader.take(from, end);
      if (end < to) this.#reader.prefetch(end, Math.min(to, end + this.#stepsOfACall));
      const outputs = await under.session.run(
        batches.map((objects, i) => ({
          objects,
          learningRate: learningRateAt(order.schedule, from + i),
        })),
      );
      outputs.forEach(({ witness }, i) => {
        remember(this.#witnesses, from + i, this.#hasher.witness(witness));
      });
      under.step = end;
    }
  }
}

function keep(states: StateAt[], state: StateAt, most: number): void {
  states.push(state);
  if (states.length > most) states.shift();
}

function remember(map: Map<number, Hex>, key: number, value: Hex): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (map.size >= hashesKept) map.delete(oldest!);
  map.set(key, value);
}
