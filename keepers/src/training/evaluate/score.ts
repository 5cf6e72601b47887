import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import { classAt, labelField, valuesAt } from "./target.ts";

/** Sums over some samples. */
export type Tally = {
  readonly samples: number;
  /** Sum of the samples' losses: natural-log cross-entropy, or the mean of squared differences. */
  readonly lossSum: number;
  /** Samples whose class was found; absent where there are no classes. */
  readonly correct?: number;
  /** predictions[label · classes + prediction]; absent where there are no classes. */
  readonly confusion?: Float64Array;
};

/**
 * Scores what a program put out for the first `rows` objects of a micro-batch. The class that is found is the first
 * largest mantissa, so accuracy and confusion are exact; the loss is a float64 of the exact logits.
 *
 * @param witness logits [N, classes] or predictions [N, values]
 */
export function score(
  program: Program,
  witness: Tensor,
  objects: Uint8Array,
  objectBytes: number,
  rows = program.microBatch,
): Tally {
  const width = witness.mantissas.length / program.microBatch;
  const scale = 2 ** witness.exponent;
  const field = labelField(program);
  if (field === undefined) {
    let lossSum = 0;
    for (let row = 0; row < rows; row++) {
      const values = valuesAt(program, width, objects, row * objectBytes);
      let squares = 0;
      for (let i = 0; i < width; i++)
        squares += (witness.mantissas[row * width + i]! * scale - values[i]!) ** 2;
      lossSum += squares / width;
    }
    return { samples: rows, lossSum };
  }
  let lossSum = 0;
  let correct = 0;
  const confusion = new Float64Array(field.classes ** 2);
  for (let row = 0; row < rows; row++) {
    const label = classAt(field, objects, row * objectBytes);
    const logits = witness.mantissas.subarray(row * width, (row + 1) * width);
    const { loss, found } = crossEntropy(logits, scale, label);
    lossSum += loss;
    if (found === label) correct++;
    confusion[label * field.classes + found]!++;
  }
  return { samples: rows, lossSum, correct, confusion };
}

/** −ln softmax(logits)[label], and the first largest logit. */
export function crossEntropy(
  logits: ArrayLike<number>,
  scale: number,
  label: number,
): { loss: number; found: number } {
  let found = 0;
  for (let k = 1; k < logits.length; k++) if (logits[k]! > logits[found]!) found = k;
  let sum = 0;
  for (let k = 0; k < logits.length; k++) sum += Math.exp((logits[k]! - logits[found]!) * scale);
  return { loss: Math.log(sum) + (logits[found]! - logits[label]!) * scale, found };
}

/** The sums of both. */
export function addTallies(a: Tally, b: Tally): Tally {
  return {
    samples: a.samples + b.samples,
    lossSum: a.lossSum + b.lossSum,
    ...(a.correct !== undefined && b.correct !== undefined && { correct: a.correct + b.correct }),
    ...(a.confusion !== undefined &&
      b.confusion !== undefined && { confusion: a.confusion.map((count, i) => count + b.confusion![i]!) }),
  };
}
