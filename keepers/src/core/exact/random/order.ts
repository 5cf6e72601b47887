import { BadInputError } from "../../errors.ts";
import { inversePermutation, permutation } from "./permutation.ts";
import { randomDomains, type Seed } from "./philox.ts";

export type SampleOrderParameters = {
  seed: Seed;
  /** Splits the objects into training and validation samples; without it every object is a training sample. */
  splitSeed?: Seed;
  /** D: objects of the dataset. */
  objects: number;
  /** T_n: how many of them are training samples. */
  train: number;
  /** Samples of a micro-batch. */
  microBatch: number;
  /** M: micro-batches of a step. */
  microBatches: number;
};

/** Which object stands at which place of which batch: `docs/exact-ops.md`, section 3, "Order of samples". */
export type SampleOrder = {
  /** ⌊T_n / (M·b)⌋; what does not fill a step is left out of the epoch. */
  readonly stepsPerEpoch: number;
  /** Validation samples: D − T_n. */
  readonly validationCount: number;
  /** Object of row `row` of micro-batch `microBatch` of step `step` (counted from 0 over all epochs). */
  sample(step: number, microBatch: number, row: number): number;
  /** Objects of a whole step: M·b of them, micro-batch after micro-batch. */
  batch(step: number): Uint32Array;
  /** Object of training sample `index`. */
  training(index: number): number;
  /** Object of validation sample `index`. */
  validation(index: number): number;
  /** Which training sample an object is; undefined for one of validation. */
  trainingOf(object: number): number | undefined;
  /** Where training sample `index` stands in an epoch, counted from its first row; undefined where that epoch leaves it out. */
  placeIn(epoch: number, index: number): number | undefined;
};

/** @throws BadInputError when the counts do not fit each other. */
export function sampleOrder(parameters: SampleOrderParameters): SampleOrder {
  requireCounts(parameters);
  const { seed, splitSeed, objects, train, microBatch, microBatches } = parameters;
  const stepSamples = microBatch * microBatches;
  const stepsPerEpoch = Math.floor(train / stepSamples);
  const same = (index: number): number => index;
  const ofSplit = (make: typeof permutation) =>
    splitSeed === undefined
      ? same
      : make({ seed: splitSeed, domain: randomDomains.split, round: 0, size: objects });
  const split = ofSplit(permutation);
  const unsplit = ofSplit(inversePermutation);
  const ofEpochs = (make: typeof permutation) =>
    ofLatest((round) => make({ seed, domain: randomDomains.shuffle, round, size: train }));
  const shuffles = ofEpochs(permutation);
  const unshuffles = ofEpochs(inversePermutation);

  const shuffleOf = (step: number): ((index: number) => number) => {
    requireIndex(step, 2 ** 32 * stepsPerEpoch, "step");
    return shuffles(Math.floor(step / stepsPerEpoch));
  };

  return {
    stepsPerEpoch,
    validationCount: objects - train,
    sample(step, batch, row) {
      requireIndex(batch, microBatches, "micro-batch");
      requireIndex(row, microBatch, "row");
      const shuffled = shuffleOf(step);
      return split(shuffled((step % stepsPerEpoch) * stepSamples + batch * microBatch + row));
    },
    batch(step) {
      const shuffled = shuffleOf(step);
      const first = (step % stepsPerEpoch) * stepSamples;
      return Uint32Array.from({ length: stepSamples }, (_, at) => split(shuffled(first + at)));
    },
    training(index) {
      requireIndex(index, train, "training sample");
      return split(index);
    },
    validation(index) {
      requireIndex(index, objects - train, "validation sample");
      return split(train + index);
    },
    trainingOf(object) {
      requireIndex(object, objects, "object");
      const index = unsplit(object);
      return index < train ? index : undefined;
    },
    placeIn(epoch, index) {
      requireIndex(epoch, 2 ** 32, "epoch");
      requireIndex(index, train, "training sample");
      const place = unshuffles(epoch)(index);
      return place < stepsPerEpoch * stepSamples ? place : undefined;
    },
  };
}

/** What belongs to an epoch, made once as long as the same one is asked for. */
function ofLatest<T>(make: (epoch: number) => T): (epoch: number) => T {
  let last: { readonly epoch: number; readonly made: T } | undefined;
  return (epoch) => {
    if (last?.epoch !== epoch) last = { epoch, made: make(epoch) };
    return last.made;
  };
}

function requireCounts({ splitSeed, objects, train, microBatch, microBatches }: SampleOrderParameters): void {
  for (const [name, count] of Object.entries({ objects, train, microBatch, microBatches })) {
    if (!Number.isInteger(count) || count < 1 || count > 2 ** 32) {
      throw new BadInputError(`${name} must be 1 to 2^32, not ${count}.`);
    }
  }
  if (train > objects)
    throw new BadInputError(`${train} training samples are more than the ${objects} objects.`);
  if (splitSeed === undefined && train !== objects) {
    throw new BadInputError(`Without a split all ${objects} objects are training samples, not ${train}.`);
  }
  if (train < microBatch * microBatches) {
    throw new BadInputError(
      `${train} training samples do not fill one step of ${microBatches} × ${microBatch} samples.`,
      { next: "Choose fewer micro-batches or a smaller micro-batch." },
    );
  }
}

function requireIndex(index: number, count: number, what: string): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`there is no ${what} ${index} of ${count}`);
  }
}
