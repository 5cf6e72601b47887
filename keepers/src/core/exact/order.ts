import { bytesToHex, encodeAbiParameters, type Hex, isHex, keccak256, size, stringToBytes } from "viem";
import { BadInputError } from "../errors.ts";
import { log2Exact } from "./format.ts";
import { limits } from "./limits.ts";
import { type SampleOrder, sampleOrder } from "./random/order.ts";
import { requireSchedule, type Schedule } from "./schedule.ts";
import type { MantissaBits } from "./tape/types.ts";

/** All that a contract needs to judge a step of a training run (`docs/exact-ops.md`, section 7). Hashes have 32 bytes. */
export type TrainingOrder = {
  readonly bits: MantissaBits;
  readonly programRoot: Hex;
  /** State root before the first step. */
  readonly initialRoot: Hex;
  /** Root over the dataset's objects (`docs/storage-protocol.md`, section 2). */
  readonly objectRoot: Hex;
  /** The anchored dataset; left out for data that is not anchored. */
  readonly datasetId?: Hex;
  /** D: objects of the dataset, all of `objectBytes` bytes. */
  readonly objects: number;
  readonly objectBytes: number;
  /** T_n: training samples; the other objects are for validation. */
  readonly train: number;
  /** Left out when there is no split: then every object is a training sample. */
  readonly splitSeed?: Hex;
  /** Of the initial weights and of the order of samples. */
  readonly seed: Hex;
  /** Samples of a micro-batch (N) and micro-batches of a step (M): powers of two. */
  readonly microBatch: number;
  readonly microBatches: number;
  /** T: steps of the whole run. */
  readonly steps: number;
  /** I: steps between two leaves of the trace. */
  readonly interval: number;
  readonly schedule: Schedule;
};

/** Limits of an order beside those of its program. */
export const orderLimits = { interval: 1024, steps: 2 ** 32 } as const;

/** First word of an encoded order. */
export const orderTag = keccak256(stringToBytes("assay/training/v1"));
const none: Hex = `0x${"00".repeat(32)}`;

/** What an order is encoded as. */
export const orderTypes = [
  { name: "tag", type: "bytes32" },
  { name: "bits", type: "uint256" },
  { name: "programRoot", type: "bytes32" },
  { name: "initialRoot", type: "bytes32" },
  { name: "objectRoot", type: "bytes32" },
  { name: "datasetId", type: "bytes32" },
  { name: "objects", type: "uint256" },
  { name: "objectBytes", type: "uint256" },
  { name: "train", type: "uint256" },
  { name: "splitSeed", type: "bytes32" },
  { name: "seed", type: "bytes32" },
  { name: "log2MicroBatch", type: "uint256" },
  { name: "log2MicroBatches", type: "uint256" },
  { name: "steps", type: "uint256" },
  { name: "interval", type: "uint256" },
  { name: "every", type: "uint256" },
  { name: "table", type: "bytes" },
] as const;

/** @throws BadInputError that names the first field that no order can have. */
export function requireOrder(order: TrainingOrder): void {
  if (order.bits !== 8 && order.bits !== 16)
    throw new BadInputError(`There is no profile of ${order.bits} bits.`);
  const { programRoot, initialRoot, objectRoot, datasetId, splitSeed, seed } = order;
  for (const [name, hash] of Object.entries({
    programRoot,
    initialRoot,
    objectRoot,
    datasetId,
    splitSeed,
    seed,
  })) {
    if (hash !== undefined && !(isHex(hash) && size(hash) === 32)) {
      throw new BadInputError(`The order's ${name} is no hash of 32 bytes.`);
    }
  }
  // Zero stands for "left out" in the encoding, so it cannot be a value.
  if (datasetId === none) throw new BadInputError("The order's datasetId cannot be zero.");
  if (splitSeed === none) throw new BadInputError("The order's splitSeed cannot be zero.");
  requireCount("objectBytes", order.objectBytes, 2 ** 32);
  requireCount("steps", order.steps, orderLimits.steps);
  requireCount("interval", order.interval, orderLimits.interval);
  requirePowerOfTwo("microBatch", order.microBatch, limits.microBatch);
  requirePowerOfTwo("microBatches", order.microBatches, limits.microBatches);
  requireSchedule(order.schedule);
  samplesOf(order);
}

/** ABI encoding of an order: what `trainingHash` hashes. @throws BadInputError for an order outside its limits. */
export function encodeOrder(order: TrainingOrder): Hex {
  requireOrder(order);
  const { table, every } = order.schedule;
  const rates = new Uint8Array(2 * table.length);
  const view = new DataView(rates.buffer);
  table.forEach((rate, i) => {
    view.setUint16(2 * i, rate);
  });
  return encodeAbiParameters(orderTypes, [
    orderTag,
    BigInt(order.bits),
    order.programRoot,
    order.initialRoot,
    order.objectRoot,
    order.datasetId ?? none,
    BigInt(order.objects),
    BigInt(order.objectBytes),
    BigInt(order.train),
    order.splitSeed ?? none,
    order.seed,
    BigInt(log2Exact(order.microBatch)!),
    BigInt(log2Exact(order.microBatches)!),
    BigInt(order.steps),
    BigInt(order.interval),
    BigInt(every),
    bytesToHex(rates),
  ]);
}

/** keccak256 of the encoded order: names everything that decides the bits of a run. */
export function trainingHash(order: TrainingOrder): Hex {
  return keccak256(encodeOrder(order));
}

/** Which object stands where. @throws BadInputError when the order's counts do not fit each other. */
export function samplesOf(order: TrainingOrder): SampleOrder {
  const { seed, splitSeed, objects, train, microBatch, microBatches } = order;
  return sampleOrder({ seed, splitSeed, objects, train, microBatch, microBatches });
}

/** Steps of one interval: those between leaf `index` and leaf `index + 1` of the trace. */
export type IntervalSteps = { readonly firstStep: number; readonly steps: number };

/** @throws BadInputError when the order has no such interval. */
export function intervalOf({ steps, interval }: TrainingOrder, index: number): IntervalSteps {
  const firstStep = index * interval;
  if (!Number.isInteger(index) || index < 0 || firstStep >= steps) {
    throw new BadInputError(`There is no interval ${index}: ${steps} steps by ${interval}.`);
  }
  return { firstStep, steps: Math.min(interval, steps - firstStep) };
}

function requireCount(name: string, count: number, most: number): void {
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new BadInputError(`The order's ${name} must be 1 to ${most}, not ${count}.`);
  }
}

function requirePowerOfTwo(name: string, count: number, most: number): void {
  requireCount(name, count, most);
  if (log2Exact(count) === undefined) {
    throw new BadInputError(`The order's ${name} must be a power of two, not ${count}.`);
  }
}
