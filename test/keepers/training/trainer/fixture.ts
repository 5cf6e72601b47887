import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { bytesToHex, numberToHex } from "viem";
import type { TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { programRoot } from "../../../../keepers/src/core/exact/tape/descriptor.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { type CompiledModel, compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import { gatherObjects } from "../../../../keepers/src/training/data/gather.ts";
import type { ExecutorOptions } from "../../../../keepers/src/training/executors/types.ts";
import { mlp } from "../../../../keepers/src/training/models/mlp.ts";
import { stateRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { createRun, type RunFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";

export const folder = await mkdtemp(join(tmpdir(), "assay-train-"));
after(() => rm(folder, { recursive: true, force: true }));

export const digits = await gatherObjects(await readDigits(), {
  spool: join(folder, "spool"),
  memoryBytes: 2 ** 20,
});
export const microBatch = 8;

/** A small classifier of digits. */
export function digitsModel(bits: 8 | 16 = 8): CompiledModel {
  return compileModel({
    model: mlp({ inputs: 64, hidden: [6], classes: 10, batch: microBatch }),
    bits,
    microBatch,
    input: { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: -4, layout: "flat", shape: [64] },
    target: { offset: 64, encoding: "u8", classes: 10 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58982, weightDecay: 7 },
  });
}

export const model = digitsModel();
export const microBatches = 2;
export const options: ExecutorOptions = { objectBytes: 65, microBatches };

const seed = numberToHex(7, { size: 32 });

/** An order over the digits: 1,437 for training, 89 steps in an epoch. */
export function orderOf(changes: Partial<TrainingOrder> = {}): TrainingOrder {
  return {
    bits: model.program.bits,
    programRoot: bytesToHex(programRoot(model.program)),
    initialRoot: stateRootOf(model.program, initialState(model.program, seed)),
    objectRoot: digits.objectRoot,
    objects: 1797,
    objectBytes: 65,
    train: 1437,
    splitSeed: numberToHex(1, { size: 32 }),
    seed,
    microBatch,
    microBatches,
    steps: 200,
    interval: 8,
    schedule: { table: [3000, 300], every: 150 },
    ...changes,
  };
}

let runs = 0;

/** The folder of a new run. */
export async function newRun(changes: Partial<TrainingOrder> = {}): Promise<RunFolder> {
  return await createRun({
    path: join(folder, `run-${runs++}`),
    program: model.program,
    order: orderOf(changes),
    domain: { chainId: 0, verifyingContract: `0x${"00".repeat(20)}` },
    config: {},
  });
}
