import type { TensorTree } from "../../core/exact/commitment.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { elementsOf } from "../../core/exact/packing.ts";
import type { Tensor } from "../../core/exact/tape/types.ts";
import { nodeAt, placeAt, type StepTensors } from "../trace/place.ts";
import { type TraceStepParameters, traceMicroBatches, traceThrough } from "../trace/trace-step.ts";
import type { Asked } from "./asked.ts";
import { ComputedStep } from "./computed-step.ts";
import { RunEvidenceError } from "./errors.ts";
import { GradientsHeld } from "./gradients-held.ts";
import { lazyList } from "./lazy-list.ts";
import { ListWriter } from "./list-writer.ts";
import type { StepList } from "./step-list.ts";

/** Micro-batches whose tensors are kept with their step: a step of no more of them is kept whole. */
export const microBatchesKept = 2;
/** Parts of a longer step that are kept, each what one move asked about. */
export const partsKept = 2;

/** What is held of the tensors of a step's micro-batches. */
export interface Held {
  tensor(microBatch: number, node: number): Tensor | undefined;
  tree(microBatch: number, node: number): TensorTree | undefined;
}

/** What notes something of the micro-batches that it is shown. */
interface Holder extends Held {
  take(tensors: readonly Tensor[], microBatch: number): void;
  /** Micro-batches that it has to be shown. */
  readonly wanted: Iterable<number>;
}

/** All tensors of some micro-batches. */
class MicroBatchesHeld implements Holder {
  readonly wanted: readonly number[];
  readonly #tensors = new Map<number, readonly Tensor[]>();

  constructor(wanted: readonly number[]) {
    this.wanted = wanted;
  }

  take(tensors: readonly Tensor[], microBatch: number): void {
    if (this.wanted.includes(microBatch)) this.#tensors.set(microBatch, tensors);
  }

  tensor(microBatch: number, node: number): Tensor | undefined {
    return this.#tensors.get(microBatch)?.[node];
  }

  tree(): undefined {
    return undefined;
  }
}

export type TracedStepParameters = {
  readonly order: TrainingOrder;
  /** Counted from 0 over the whole run. */
  readonly step: number;
  /** What is kept besides, where the step is too long to be kept whole. */
  readonly asked?: Asked | undefined;
};

/**
 * A step that was executed again. Of its micro-batches it keeps what the list needs, 36 bytes of each tensor; the tensors of one,
 * or one element of all gradients, are computed again when a move asks about them. So memory is bounded by what the list is
 * long, however many micro-batches whoever ordered the job has chosen.
 */
export class TracedStep {
  readonly step: number;
  /** The state before the step. */
  readonly state: readonly Int32Array[];
  readonly #order: TrainingOrder;
  readonly #program: TraceStepParameters["program"];
  readonly #list: StepList;
  /** Of the tensors of tape 0. */
  readonly #exponents: Int32Array;
  readonly #end: Pick<StepTensors, "reduction" | "optimizer">;
  readonly #base: ComputedStep;
  /** What moves asked about, the newest last. */
  readonly #parts: { readonly key: string; readonly computed: ComputedStep }[] = [];

  private constructor(
    { program, state }: TraceStepParameters,
    { order, step }: TracedStepParameters,
    traced: Pick<StepTensors, "reduction" | "optimizer"> & {
      readonly list: StepList;
      readonly exponents: Int32Array;
      readonly held: Held;
    },
  ) {
    this.step = step;
    this.state = state;
    this.#order = order;
    this.#program = program;
    this.#list = traced.list;
    this.#exponents = traced.exponents;
    this.#end = traced;
    this.#base = this.#withHeld(traced.held);
  }

  /**
   * Executes a step.
   *
   * @throws the reason of the signal; what the engine throws
   */
  static async trace(parameters: TraceStepParameters, about: TracedStepParameters): Promise<TracedStep> {
    const { program, options } = parameters;
    const { microBatches } = options;
    const isKeptWhole = microBatches <= microBatchesKept;
    const whole = new MicroBatchesHeld(isKeptWhole ? [...Array(microBatches).keys()] : []);
    const part = isKeptWhole || about.asked === undefined ? undefined : holderOf(parameters, about.asked);
    const writer = new ListWriter(program, microBatches);
    const end = await traceThrough(parameters, (tensors, j) => {
      writer.add(tensors, j);
      whole.take(tensors, j);
      part?.take(tensors, j);
    });
    const { exponents } = writer;
    const traced = new TracedStep(parameters, about, {
      ...end,
      list: writer.end(end),
      exponents,
      held: whole,
    });
    if (part !== undefined) traced.#keep(about.asked!, part);
    return traced;
  }

  /** The step with what is asked about; undefined where that has to be computed first. */
  about(asked: Asked | undefined): ComputedStep | undefined {
    if (asked === undefined || this.#order.microBatches <= microBatchesKept) return this.#base;
    const key = keyOf(asked);
    return this.#parts.find((part) => part.key === key)?.computed;
  }

  /**
   * Computes what is asked about again.
   *
   * @throws the reason of the signal; what the engine throws
   */
  async retrace(parameters: TraceStepParameters, asked: Asked): Promise<ComputedStep> {
    const holder = holderOf(parameters, asked);
    await traceMicroBatches(parameters, (tensors, j) => holder.take(tensors, j), holder.wanted);
    return this.#keep(asked, holder);
  }

  #keep(asked: Asked, held: Held): ComputedStep {
    const computed = this.#withHeld(held);
    this.#parts.push({ key: keyOf(asked), computed });
    if (this.#parts.length > partsKept) this.#parts.shift();
    return computed;
  }

  #withHeld(held: Held): ComputedStep {
    const { step } = this;
    const { microBatches } = this.#order;
    const placeOf = (number: number) => placeAt(this.#program, microBatches, number);
    return new ComputedStep({
      ...{ program: this.#program, order: this.#order, step },
      tensors: lazyList(this.#list.commitments.length, (number) => {
        const place = placeOf(number);
        const { tape, microBatch, node } = place;
        if (tape !== 0) return (tape === 1 ? this.#end.reduction : this.#end.optimizer)[node]!;
        return (
          held.tensor(microBatch, node) ??
          absent(step, microBatch, nodeAt(this.#program, place).output, this.#exponents[number]!)
        );
      }),
      list: this.#list,
      trees: (number) => {
        const { tape, microBatch, node } = placeOf(number);
        return tape === 0 ? held.tree(microBatch, node) : undefined;
      },
    });
  }
}

function holderOf({ program }: TraceStepParameters, asked: Asked): Holder {
  if (asked.kind === "micro-batch") return new MicroBatchesHeld([asked.microBatch]);
  return new GradientsHeld(program, asked);
}

function keyOf(asked: Asked): string {
  return asked.kind === "micro-batch"
    ? `micro-batch ${asked.microBatch}`
    : `gradients ${asked.slot} ${asked.element} ${asked.from} ${asked.to}`;
}

/** A tensor that was committed to and is not kept: its form is known, and its mantissas can be asked for, but not read. */
function absent(step: number, microBatch: number, layout: Tensor["layout"], exponent: number): Tensor {
  const mantissas = lazyList<number>(elementsOf(layout.shape), () => {
    throw new RunEvidenceError(
      `The tensors of micro-batch ${microBatch} of step ${step} are not at hand: no move of this round is about them.`,
    );
  });
  return { layout, exponent, mantissas: mantissas as unknown as Tensor["mantissas"] };
}
