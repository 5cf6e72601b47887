import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import { classAt, labelField, valuesAt } from "./target.ts";

/** Sums over some samples. */
export type Tally = {
  readonly samples: number;
  /** Sum of the samples' losses: natural-log cross-entropy, or the mean of squared differences. */
  readonly lossSum: number;
  /** Samples whose class was found; absent where there are no classes. */
  readonly correct?: number;
  /** confusion[label · classes + prediction]; absent where there are no classes. */
  readonly confusion?: Float64Array;
};

/** What a model put out for the objects of a micro-batch: each value times `scale`. */
export type Outputs = {
  /** [N, classes] logits or [N, values] predictions. */
  readonly values: ArrayLike<number>;
  readonly scale: number;
  readonly objects: Uint8Array;
  readonly objectBytes: number;
};

/**
 * Scores the first `rows` objects of a micro-batch. The class that is found is the first largest value, so of exact
 * logits accuracy and confusion are exact; the loss is computed in float64.
 */
export function scoreOutputs(
  program: Program,
  { values, scale, objects, objectBytes }: Outputs,
  rows: number,
): Tally {
  const width = values.length / program.microBatch;
  const field = labelField(program);
  let lossSum = 0;
  if (field === undefined) {
    for (let row = 0; row < rows; row++) {
      const wanted = valuesAt(program, width, objects, row * objectBytes);
      let squares = 0;
      for (let i = 0; i < width; i++) squares += (values[row * width + i]! * scale - wanted[i]!) ** 2;
      lossSum += squares / width;
    }
    return { samples: rows, lossSum };
  }
  let correct = 0;
  const confusion = new Float64Array(field.classes ** 2);
  for (let row = 0; row < rows; row++) {
    const label = classAt(field, objects, row * objectBytes);
    const { loss, found } = crossEntropy(values, { first: row * width, count: width, scale }, label);
    lossSum += loss;
    if (found === label) correct++;
    confusion[label * field.classes + found]!++;
  }
  return { samples: rows, lossSum, correct, confusion };
}

/** As {@link scoreOutputs}, for the tensor that a program marks as its witness. */
export function scoreWitness(
  program: Program,
  { mantissas, exponent }: Tensor,
  objects: Uint8Array,
  objectBytes: number,
  rows = program.microBatch,
): Tally {
  return scoreOutputs(program, { values: mantissas, scale: 2 ** exponent, objects, objectBytes }, rows);
}

/** −ln softmax(logits)[label], and the first largest logit. */
function crossEntropy(
  values: ArrayLike<number>,
  { first, count, scale }: { first: number; count: number; scale: number },
  label: number,
): { loss: number; found: number } {
  const logit = (k: number) => values[first + k]!;
  let found = 0;
  for (let k = 1; k < count; k++) if (logit(k) > logit(found)) found = k;
  let sum = 0;
  for (let k = 0; k < count; k++) sum += Math.exp((logit(k) - logit(found)) * scale);
  return { loss: Math.log(sum) + (logit(found) - logit(label)) * scale, found };
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
