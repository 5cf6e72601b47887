import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { numberToHex } from "viem";
import { initialState } from "../keepers/src/core/exact/random/initialize.ts";
import { sampleOrder } from "../keepers/src/core/exact/random/order.ts";
import { learningRateAt, type Schedule } from "../keepers/src/core/exact/schedule.ts";
import type { MantissaBits, Program } from "../keepers/src/core/exact/tape/types.ts";
import { openSource } from "../keepers/src/storage/readers/open-source.ts";
import { compile } from "../keepers/src/training/compiler/compile.ts";
import { scoreWitness } from "../keepers/src/training/evaluate/score.ts";
import { nativeExecutor } from "../keepers/src/training/executors/native.ts";
import { lenet5 } from "../keepers/src/training/models/lenet5.ts";
import type { BenchOptions, Report } from "./measure.ts";

const microBatch = 64;
const pixels = 784;
const objectBytes = pixels + 1;
const momentum = 58_982;

type Epoch = { epoch: number; loss: number; accuracy: number };
type Samples = { training: Uint8Array; validation: Uint8Array };
type Plan = {
  seed: `0x${string}`;
  epochs: number;
  stepsPerEpoch: number;
  order: Uint32Array;
  rates: number[];
};

/** All objects of a built-in set, 784 pixels and a label each. */
async function objectsOf(source: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const object of (await openSource(source)).objects()) parts.push(object);
  return Buffer.concat(parts);
}

const lenet = (bits: MantissaBits): Program =>
  compile({
    model: lenet5({ batch: microBatch }),
    bits,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -33,
      exponent: -6,
      layout: "NCHW",
      shape: [1, 28, 28],
    },
    target: { offset: pixels, encoding: "u8", classes: 10 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum },
  });

/** Learning rate 0.02, a tenth of it after epochs 4 and 8. */
function planOf(seedNumber: number, epochs: number, count: number): Plan {
  const seed = numberToHex(seedNumber, { size: 32 });
  const order = sampleOrder({ seed, objects: count, train: count, microBatch, microBatches: 1 });
  const { stepsPerEpoch } = order;
  const schedule: Schedule = {
    table: [1311, 1311, 1311, 1311, 131, 131, 131, 131, 13],
    every: stepsPerEpoch,
  };
  const steps = epochs * stepsPerEpoch;
  const batches = new Uint32Array(steps * microBatch);
  for (let step = 0; step < steps; step++) batches.set(order.batch(step), step * microBatch);
  const rates = Array.from({ length: steps }, (_, step) => learningRateAt(schedule, step));
  return { seed, epochs, stepsPerEpoch, order: batches, rates };
}

async function exactRun(bits: MantissaBits, { training, validation }: Samples, plan: Plan): Promise<Epoch[]> {
  const program = lenet(bits);
  const options = { objectBytes, microBatches: 1 };
  const session = await nativeExecutor.open(program, options);
  const epochs: Epoch[] = [];
  try {
    await session.setState(initialState(program, plan.seed));
    for (let epoch = 1; epoch <= plan.epochs; epoch++) {
      let loss = 0;
      for (let first = (epoch - 1) * plan.stepsPerEpoch; first < epoch * plan.stepsPerEpoch; first += 64) {
        const last = Math.min(first + 64, epoch * plan.stepsPerEpoch);
        const inputs = Array.from({ length: last - first }, (_, i) => {
          const batch = new Uint8Array(microBatch * objectBytes);
          for (let row = 0; row < microBatch; row++) {
            const at = plan.order[(first + i) * microBatch + row]! * objectBytes;
            batch.set(training.subarray(at, at + objectBytes), row * objectBytes);
          }
          return { objects: batch, learningRate: plan.rates[first + i]! };
        });
        for (const [i, { witness }] of (await session.run(inputs)).entries())
          loss += scoreWitness(program, witness, inputs[i]!.objects, objectBytes).lossSum / microBatch;
      }
      const state = await session.getState();
      const count = validation.length / objectBytes;
      let correct = 0;
      for (let at = 0; at < count; at += microBatch) {
        const rows = Math.min(microBatch, count - at);
        const batch = new Uint8Array(microBatch * objectBytes);
        batch.set(validation.subarray(at * objectBytes, (at + rows) * objectBytes));
        const witness = await nativeExecutor.predict(program, state, batch, options);
        correct += scoreWitness(program, witness, batch, objectBytes, rows).correct!;
      }
      epochs.push({ epoch, loss: loss / plan.stepsPerEpoch, accuracy: correct / count });
    }
  } finally {
    await session.close();
  }
  return epochs;
}

async function floatRun({ training, validation }: Samples, plan: Plan): Promise<Epoch[]> {
  const folder = mkdtempSync(join(tmpdir(), "assay-float32-"));
  try {
    const program = lenet(8);
    const weights = initialState(program, plan.seed).filter((_, i) => program.state[i]!.role === "weight");
    const file = (name: string) => join(folder, name);
    writeFileSync(file("state.bin"), Buffer.concat(weights.map((m) => Buffer.from(m.buffer))));
    writeFileSync(file("training.bin"), training);
    writeFileSync(file("validation.bin"), validation);
    writeFileSync(file("order.bin"), Buffer.from(plan.order.buffer));
    const { stepsPerEpoch, rates } = plan;
    writeFileSync(
      file("run.json"),
      JSON.stringify({ batch: microBatch, stepsPerEpoch, learningRates: rates, momentum }),
    );
    const script = join(import.meta.dirname, "peers", "float32.py");
    const child = spawn(process.env.ASSAY_PYTHON ?? "/usr/bin/python3", [script, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((done, failed) => child.on("error", failed).on("exit", done));
    const epochs: Epoch[] = [];
    for await (const line of createInterface({ input: child.stdout })) epochs.push(JSON.parse(line) as Epoch);
    if ((await ended) !== 0) throw new Error("PyTorch failed: Debian's python3-torch is needed");
    return epochs;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * LeNet-5 on MNIST epoch by epoch: both exact profiles and PyTorch float32, from the same weights, batches and learning
 * rates.
 */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const samples = { training: await objectsOf("mnist"), validation: await objectsOf("mnist:test") };
  const seeds = quick ? [1] : [1, 2, 3];
  const epochs = quick ? 1 : 10;
  const runs: { seed: number; e8: Epoch[]; e16: Epoch[]; float32: Epoch[] }[] = [];
  for (const seed of seeds) {
    const plan = planOf(seed, epochs, samples.training.length / objectBytes);
    runs.push({
      seed,
      e8: await exactRun(8, samples, plan),
      e16: await exactRun(16, samples, plan),
      float32: await floatRun(samples, plan),
    });
  }
  for (let i = 0; i < epochs; i++) {
    for (const profile of ["e8", "e16"] as const) {
      for (const figure of ["accuracy", "loss"] as const) {
        const value = mean(runs.map((run) => run[profile][i]![figure]));
        const peerValue = mean(runs.map((run) => run.float32[i]![figure]));
        const each = (kind: "e8" | "e16" | "float32") =>
          runs.map((run) => Number(run[kind][i]![figure].toPrecision(4))).join(" / ");
        report({
          name: `LeNet-5 on MNIST, ${profile.toUpperCase()}, ${figure === "accuracy" ? "validation accuracy" : "training loss"}, epoch ${i + 1}`,
          value,
          unit: figure === "accuracy" ? "of 1" : "nats",
          peer: "PyTorch float32",
          peerValue,
          ratio: value / peerValue,
          note: `seeds ${seeds.join(", ")}: ${each(profile)}; float32 ${each("float32")}`,
        });
      }
    }
  }
}
