import { bytesToHex, type Hex } from "viem";
import { StateHasher } from "../../core/exact/commitment.ts";
import { samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import type { ObjectSource } from "../data/types.ts";
import type { Executor, ExecutorOptions, StepInput } from "../executors/types.ts";
import type { Asked } from "./asked.ts";
import type { ComputedStep } from "./computed-step.ts";
import { type ObjectEvidence, openObject } from "./objects.ts";
import { type OpenSession, Replayer, type StateAt } from "./replayer.ts";
import { TracedStep } from "./traced-step.ts";

/** What a side of a dispute computes itself. Every part can be asked for at any time and comes out the same. */
export interface OwnRun {
  readonly program: Program;
  readonly order: TrainingOrder;
  /** State roots after so many steps, for each of them. */
  stateRoots(steps: readonly number[]): Promise<readonly Hex[]>;
  /** Commitments of the slots of the state after so many steps. */
  slots(steps: number): Promise<readonly Hex[]>;
  /** Witness commitments of an interval's steps. */
  witnesses(interval: number): Promise<readonly Hex[]>;
  /**
   * A step, counted from 0: its list whole, the tensors of tapes 1 and 2, and of its micro-batches' tensors at least those that
   * are asked about. Reading the mantissas of another one throws RunEvidenceError.
   */
  step(step: number, asked?: Asked): Promise<ComputedStep>;
  /** Bytes of the object that stands in a row of a micro-batch. */
  object(place: ObjectPlace): Promise<ObjectEvidence>;
}

/** Some bytes of an object, by where it stands. */
export type ObjectPlace = {
  readonly step: number;
  readonly microBatch: number;
  readonly row: number;
  readonly offset: number;
  readonly width: number;
};

export type ExecutedRunParameters = {
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly source: ObjectSource;
  readonly executor: Executor;
  readonly options: ExecutorOptions;
  /** The newest state that is known after `step` steps or fewer: a checkpoint, the first state, or one that agreed. */
  readonly nearest: (step: number) => Promise<StateAt>;
  /** The executor's own sessions by default. */
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
};

/** Steps of which something is kept: the list, and of the tensors what `TracedStep` keeps. */
export const stepsKept = 2;

/** A run that is executed again, as far as it is asked about. One session computes at a time, whoever asks. */
export class ExecutedRun implements OwnRun {
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly #parameters: ExecutedRunParameters;
  readonly #replayer: Replayer;
  readonly #steps: TracedStep[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parameters: ExecutedRunParameters) {
    const { program, order, executor, options } = parameters;
    this.program = program;
    this.order = order;
    this.#parameters = parameters;
    this.#replayer = new Replayer({
      ...parameters,
      open: parameters.open ?? (() => executor.open(program, options)),
    });
  }

  /** Closes the engine, and lets go of steps and states: whatever is asked for afterwards is computed again. */
  close(): Promise<void> {
    return this.#inTurn(() => {
      this.#steps.length = 0;
      this.#replayer.forgetStates();
      return this.#replayer.close();
    });
  }

  stateRoots(steps: readonly number[]): Promise<readonly Hex[]> {
    return this.#inTurn(() => this.#replayer.roots(steps));
  }

  /** The state itself after so many steps. */
  state(steps: number): Promise<readonly Int32Array[]> {
    return this.#inTurn(() => this.#replayer.state(steps));
  }

  /** What a step reads besides the state. */
  input(step: number): Promise<StepInput> {
    return this.#inTurn(() => this.#replayer.input(step));
  }

  async slots(steps: number): Promise<readonly Hex[]> {
    const hashes = new StateHasher(this.program).commitments(await this.state(steps));
    return hashes.map((hash) => bytesToHex(hash));
  }

  witnesses(interval: number): Promise<readonly Hex[]> {
    return this.#inTurn(() => this.#replayer.witnesses(interval));
  }

  step(step: number, asked?: Asked): Promise<ComputedStep> {
    return this.#inTurn(async () => {
      const kept = this.#steps.find((each) => each.step === step);
      const known = kept?.about(asked);
      if (known !== undefined) return known;
      const { program, order } = this;
      const { executor, options, signal } = this.#parameters;
      const state = kept?.state ?? (await this.#replayer.state(step));
      const input = await this.#replayer.input(step);
      const parameters = { executor, program, options, state, input, signal };
      if (kept !== undefined) return await kept.retrace(parameters, asked!);
      const traced = await TracedStep.trace(parameters, { order, step, asked });
      this.#steps.push(traced);
      if (this.#steps.length > stepsKept) this.#steps.shift();
      return traced.about(asked)!;
    });
  }

  async object({ step, microBatch, row, ...bytes }: ObjectPlace): Promise<ObjectEvidence> {
    const index = samplesOf(this.order).sample(step, microBatch, row);
    return await openObject(this.#parameters.source, index, bytes);
  }

  /** Runs one thing after another: a session takes one call at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
