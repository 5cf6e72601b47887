import { type Address, type Hex, hashTypedData, keccak256 } from "viem";
import { intervalOf, samplesOf, type TrainingOrder, trainingHash } from "./order.ts";

/**
 * Proof-of-Learning record: what a worker signs for one interval of a run, so that anyone who holds the data can train
 * those steps again and compare (Jia et al., "Proof-of-Learning", IEEE S&P 2021; here with tolerance 0).
 */
export type LearningRecord = {
  readonly programRoot: Hex;
  /** `trainingHash` of the order. */
  readonly trainingHash: Hex;
  /** Interval i leads from leaf i of the trace to leaf i + 1. */
  readonly interval: number;
  readonly firstStep: bigint;
  readonly steps: number;
  readonly seed: Hex;
  /** keccak256 of the samples of all steps: object indices as big-endian uint32, in the order of the batches. */
  readonly dataIndicesHash: Hex;
  /** State roots. */
  readonly rootBefore: Hex;
  readonly rootAfter: Hex;
  /** h_i of the trace leaf. */
  readonly witnessHash: Hex;
  readonly worker: Address;
};

/** A record and the worker's EIP-712 signature over it. */
export type SignedLearningRecord = { readonly record: LearningRecord; readonly signature: Hex };

/** What a worker found out by training an interval. */
export type IntervalResult = Pick<
  LearningRecord,
  "interval" | "rootBefore" | "rootAfter" | "witnessHash" | "worker"
>;

/** Where a signature counts. */
export type LearningRecordDomain = { readonly chainId: number; readonly verifyingContract: Address };

const types = {
  LearningRecord: [
    { name: "programRoot", type: "bytes32" },
    { name: "trainingHash", type: "bytes32" },
    { name: "interval", type: "uint32" },
    { name: "firstStep", type: "uint64" },
    { name: "steps", type: "uint32" },
    { name: "seed", type: "bytes32" },
    { name: "dataIndicesHash", type: "bytes32" },
    { name: "rootBefore", type: "bytes32" },
    { name: "rootAfter", type: "bytes32" },
    { name: "witnessHash", type: "bytes32" },
    { name: "worker", type: "address" },
  ],
} as const;

/** Hash over the object indices of consecutive steps. */
export function dataIndicesHash(order: TrainingOrder, firstStep: number, steps: number): Hex {
  const samples = samplesOf(order);
  const stepBytes = 4 * order.microBatch * order.microBatches;
  const bytes = new Uint8Array(stepBytes * steps);
  const view = new DataView(bytes.buffer);
  for (let step = 0; step < steps; step++) {
    samples.batch(firstStep + step).forEach((object, at) => {
      view.setUint32(step * stepBytes + 4 * at, object);
    });
  }
  return keccak256(bytes);
}

/** The record of an interval; everything but the worker's result follows from the order. */
export function learningRecord(order: TrainingOrder, result: IntervalResult): LearningRecord {
  const { firstStep, steps } = intervalOf(order, result.interval);
  return {
    programRoot: order.programRoot,
    trainingHash: trainingHash(order),
    interval: result.interval,
    firstStep: BigInt(firstStep),
    steps,
    seed: order.seed,
    dataIndicesHash: dataIndicesHash(order, firstStep, steps),
    rootBefore: result.rootBefore,
    rootAfter: result.rootAfter,
    witnessHash: result.witnessHash,
    worker: result.worker,
  };
}

/** The EIP-712 message of a record, as wallets and viem take it. */
export function learningRecordTypedData(
  record: LearningRecord,
  { chainId, verifyingContract }: LearningRecordDomain,
) {
  return {
    domain: { name: "Assay Training", version: "1", chainId, verifyingContract },
    types,
    primaryType: "LearningRecord",
    message: record,
  } as const;
}

/** The digest that the worker signs. */
export function learningRecordDigest(record: LearningRecord, domain: LearningRecordDomain): Hex {
  return hashTypedData(learningRecordTypedData(record, domain));
}
