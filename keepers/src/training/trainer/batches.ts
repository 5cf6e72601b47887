import type { TrainingOrder } from "../../core/exact/order.ts";
import type { SampleOrder } from "../../core/exact/random/order.ts";
import type { ObjectSource } from "../data/types.ts";

export type BatchParameters = {
  readonly source: ObjectSource;
  readonly order: Pick<SampleOrder, "batch">;
};

/** Objects of steps that are read at a time. */
const chunkBytes = 32 * 2 ** 20;

/** Steps whose objects are in memory at a time: at least one. */
export function stepsAtATime({
  microBatch,
  microBatches,
  objectBytes,
}: Pick<TrainingOrder, "microBatch" | "microBatches" | "objectBytes">): number {
  return Math.max(1, Math.floor(chunkBytes / (microBatch * microBatches * objectBytes)));
}

/** Reads the objects of steps `from` (included) to `to` (excluded): for each step M·N objects in the batch's order. */
export async function readSteps(
  { source, order }: BatchParameters,
  from: number,
  to: number,
): Promise<Uint8Array[]> {
  const steps: Promise<Uint8Array>[] = [];
  for (let step = from; step < to; step++) steps.push(source.read(order.batch(step)));
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
