import type { SampleOrder } from "../../core/exact/random/order.ts";
import type { ObjectSource } from "../data/types.ts";

export type BatchParameters = {
  readonly source: ObjectSource;
  readonly order: Pick<SampleOrder, "sample">;
  readonly microBatch: number;
  readonly microBatches: number;
};

/** Reads the objects of steps `from` (included) to `to` (excluded): for each step M·N objects in the batch's order. */
export async function readSteps(
  { source, order, microBatch, microBatches }: BatchParameters,
  from: number,
  to: number,
): Promise<Uint8Array[]> {
  const perStep = microBatch * microBatches;
  const steps: Promise<Uint8Array>[] = [];
  for (let step = from; step < to; step++) {
    const indices = new Float64Array(perStep);
    for (let j = 0; j < microBatches; j++) {
      for (let row = 0; row < microBatch; row++) indices[j * microBatch + row] = order.sample(step, j, row);
    }
    steps.push(source.read(indices));
  }
  return await Promise.all(steps);
}

/**
 * Reads one range of steps ahead of the one that is being trained: two ranges are in memory at most.
 */
export class BatchReader {
  readonly #parameters: BatchParameters;
  #next: { from: number; to: number; steps: Promise<Uint8Array[]> } | undefined;

  constructor(parameters: BatchParameters) {
    this.#parameters = parameters;
  }

  /** The objects of these steps. */
  async take(from: number, to: number): Promise<Uint8Array[]> {
    const ahead = this.#next;
    this.#next = undefined;
    if (ahead?.from === from && ahead.to === to) return await ahead.steps;
    return await readSteps(this.#parameters, from, to);
  }

  /** Begins to read what will be taken next. */
  prefetch(from: number, to: number): void {
    const steps = readSteps(this.#parameters, from, to);
    // The failure comes out of `take`; without this an unused one would end the process.
    steps.catch(() => undefined);
    this.#next = { from, to, steps };
  }
}
