import type { Program } from "../../core/exact/tape/types.ts";
import type { ObjectSource } from "../data/types.ts";
import type { Executor, ExecutorOptions } from "../executors/types.ts";
import { addTallies, scoreWitness, type Tally } from "./score.ts";

/** Objects that are scored: `index(i)` is the object of sample i. */
export type Samples = {
  readonly source: ObjectSource;
  readonly count: number;
  index(sample: number): number;
};

/** All objects of a source. */
export function allSamples(source: ObjectSource): Samples {
  return { source, count: source.count, index: (sample) => sample };
}

/** What a state reaches. */
export type Evaluation = {
  readonly samples: number;
  /** Mean over the samples. */
  readonly loss: number;
  readonly accuracy?: number;
  /** confusion[label][prediction]: samples. */
  readonly confusion?: number[][];
};

/** The objects of one micro-batch; the last one is filled up with samples from the start, which are not scored. */
export async function* microBatchesOf(
  { source, count, index }: Samples,
  microBatch: number,
): AsyncGenerator<{ objects: Uint8Array; rows: number }> {
  const read = (first: number) =>
    source.read(Array.from({ length: microBatch }, (_, row) => index((first + row) % count)));
  let next: Promise<Uint8Array> | undefined = read(0);
  for (let first = 0; first < count; first += microBatch) {
    const objects: Uint8Array = await next!;
    next = first + microBatch < count ? read(first + microBatch) : undefined;
    yield { objects, rows: Math.min(microBatch, count - first) };
  }
}

/** Scores a state in the exact format: forward passes of the program itself, micro-batch after micro-batch. */
export async function evaluateExact(
  executor: Executor,
  program: Program,
  state: readonly Int32Array[],
  samples: Samples,
  options: ExecutorOptions,
): Promise<Evaluation> {
  let total: Tally | undefined;
  for await (const { objects, rows } of microBatchesOf(samples, program.microBatch)) {
    const witness = await executor.predict(program, state, objects, options);
    const tally = scoreWitness(program, witness, objects, options.objectBytes, rows);
    total = total === undefined ? tally : addTallies(total, tally);
  }
  return evaluationOf(total!);
}

/** Means of a tally. */
export function evaluationOf({ samples, lossSum, correct, confusion }: Tally): Evaluation {
  const classes = confusion === undefined ? 0 : Math.sqrt(confusion.length);
  return {
    samples,
    loss: lossSum / samples,
    accuracy: correct === undefined ? undefined : correct / samples,
    confusion:
      confusion === undefined
        ? undefined
        : Array.from({ length: classes }, (_, label) => [
            ...confusion.slice(label * classes, (label + 1) * classes),
          ]),
  };
}
