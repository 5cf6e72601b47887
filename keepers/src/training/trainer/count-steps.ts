import { bytesToHex, type Hex } from "viem";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { type SampleOrder, sampleOrder } from "../../core/exact/random/order.ts";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { parseFraction } from "../config/decimal.ts";
import { TrainingConfigError } from "../config/errors.ts";
import { scheduleOf } from "../config/hyper-parameters.ts";
import type { DatasetConfig, TrainingConfig } from "../config/schema.ts";
import { stateRootOf } from "../trace/commitments.ts";
import { seedBytes } from "./plan.ts";

/** What of a configuration decides the steps of a training. */
export type CountedConfig = Pick<
  TrainingConfig,
  "microBatch" | "microBatches" | "steps" | "epochs" | "learningRate" | "seed"
> & { readonly dataset: Pick<DatasetConfig, "split"> };

/** The objects that are trained on, as they are anchored or were read. */
export type CountedObjects = {
  readonly count: number;
  readonly objectBytes: number;
  readonly objectRoot: Hex;
  readonly datasetId?: Hex;
};

/** A training order but for its interval, and which sample is which object. */
export type CountedSteps = {
  readonly order: Omit<TrainingOrder, "interval">;
  readonly samples: SampleOrder;
  readonly stepsPerEpoch: number;
};

/**
 * Counts the steps of a training, and writes its order but for the interval: no object is looked at.
 *
 * @throws TrainingConfigError for a split that leaves nothing
 */
export function countSteps(config: CountedConfig, objects: CountedObjects, program: Program): CountedSteps {
  const { microBatch, microBatches } = config;
  const counts = splitOf(config, objects.count);
  const samples = sampleOrder({ ...counts, microBatch, microBatches });
  const { stepsPerEpoch } = samples;
  const steps = config.steps ?? config.epochs! * stepsPerEpoch;
  const order: CountedSteps["order"] = {
    bits: program.bits,
    programRoot: bytesToHex(programRoot(program)),
    initialRoot: stateRootOf(program, initialState(program, counts.seed)),
    objectRoot: objects.objectRoot,
    ...(objects.datasetId !== undefined && { datasetId: objects.datasetId }),
    ...counts,
    objectBytes: objects.objectBytes,
    microBatch,
    microBatches,
    steps,
    schedule: scheduleOf(config.learningRate, { steps, stepsPerEpoch }),
  };
  return { order, samples, stepsPerEpoch };
}

function splitOf({ dataset: { split }, seed }: CountedConfig, objects: number) {
  const base = { seed: seedBytes(seed), objects };
  if (split === undefined) return { ...base, train: objects };
  const { numerator, denominator } = parseFraction(split.train)!;
  const train = denominator === 0n ? 0 : Number((BigInt(objects) * numerator) / denominator);
  if (train < 1 || train >= objects) {
    throw new TrainingConfigError(
      `The key dataset.split.train is refused: ${split.train} of ${objects} objects leaves nothing to train on or to validate with.`,
    );
  }
  return { ...base, train, splitSeed: seedBytes(split.seed ?? seed) };
}
