import type { Hex } from "viem";
import type { TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";

const word = (byte: string): Hex => `0x${byte.repeat(32)}`;

/** A small order: 10 steps an epoch, four intervals of which the last has one step. */
export const order: TrainingOrder = {
  bits: 16,
  programRoot: word("11"),
  initialRoot: word("22"),
  objectRoot: word("33"),
  datasetId: word("44"),
  objects: 100,
  objectBytes: 785,
  train: 80,
  splitSeed: word("55"),
  seed: word("66"),
  microBatch: 4,
  microBatches: 2,
  steps: 25,
  interval: 8,
  schedule: { table: [655, 65535, 1], every: 10 },
};
