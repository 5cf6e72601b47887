import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesToHex } from "viem";
import { stateRoot } from "../keepers/src/core/exact/commitment.ts";
import { samplesOf, type TrainingOrder } from "../keepers/src/core/exact/order.ts";
import { initialState } from "../keepers/src/core/exact/random/initialize.ts";
import { constantSchedule } from "../keepers/src/core/exact/schedule.ts";
import { programRoot } from "../keepers/src/core/exact/tape/descriptor.ts";
import type { MantissaBits } from "../keepers/src/core/exact/tape/types.ts";
import { compile } from "../keepers/src/training/compiler/compile.ts";
import { MemoryObjects } from "../keepers/src/training/data/memory-objects.ts";
import { nativeExecutor } from "../keepers/src/training/executors/native.ts";
import { lenet5 } from "../keepers/src/training/models/lenet5.ts";
import { readSteps } from "../keepers/src/training/trainer/batches.ts";
import { chooseInterval } from "../keepers/src/training/trainer/interval.ts";
import { measureCosts } from "../keepers/src/training/trainer/measure.ts";
import { createRun } from "../keepers/src/training/trainer/run-folder.ts";
import { train } from "../keepers/src/training/trainer/train.ts";
import { type BenchOptions, interleave, type Report } from "./measure.ts";

const microBatch = 64;
const pixels = 784;
const objectBytes = pixels + 1;
const classes = 10;
const seed = `0x${"01".repeat(32)}` as const;
const mebibyte = 2 ** 20;

/** Objects of pixels in a pattern, and labels. */
function makeObjects(count: number): Uint8Array {
  const bytes = new Uint8Array(count * objectBytes);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (Math.imul(i, 2_654_435_761) >>> 24) & 255;
  for (let i = 1; i <= count; i++) bytes[i * objectBytes - 1]! %= classes;
  return bytes;
}

/** Seconds for the same LeNet-5 steps with and without a trace, checkpoints included. */
async function commitments(bits: MantissaBits, quick: boolean): Promise<Record<"bare" | "traced", number>> {
  const program = compile({
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
    target: { offset: pixels, encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982 },
  });
  const steps = quick ? 64 : 2048;
  const count = steps * microBatch;
  const source = new MemoryObjects("pattern", objectBytes, makeObjects(count));
  const state = initialState(program, seed);
  const base: TrainingOrder = {
    bits,
    programRoot: bytesToHex(programRoot(program)),
    initialRoot: bytesToHex(stateRoot(program, state)),
    objectRoot: `0x${"00".repeat(32)}`,
    objects: count,
    objectBytes,
    train: count,
    seed,
    microBatch,
    microBatches: 1,
    steps,
    interval: 1,
    schedule: constantSchedule(0.01),
  };
  const session = await nativeExecutor.open(program, { objectBytes, microBatches: 1 });
  try {
    const first = await readSteps({ source, order: samplesOf(base) }, 0, 1);
    const inputs = first.map((objects) => ({ objects, learningRate: 655 }));
    const interval = chooseInterval(await measureCosts(session, program, state, inputs), steps);
    const order = { ...base, interval };
    const seconds = async (work: () => Promise<unknown>) => {
      const start = performance.now();
      await work();
      return (performance.now() - start) / 1000;
    };
    return await interleave(
      {
        bare: () =>
          seconds(async () => {
            await session.setState(state);
            const samples = samplesOf(order);
            for (let step = 0; step < steps; step += 32) {
              const batches = await readSteps({ source, order: samples }, step, Math.min(step + 32, steps));
              await session.run(batches.map((objects) => ({ objects, learningRate: 655 })));
            }
          }),
        traced: async () => {
          const path = mkdtempSync(join(tmpdir(), "assay-trace-"));
          try {
            const domain = { chainId: 0, verifyingContract: `0x${"00".repeat(20)}` } as const;
            const run = await createRun({ path, program, order, domain, config: {} });
            return await seconds(() => train({ run, session, source, checkpoint: { every: steps } }));
          } finally {
            rmSync(path, { recursive: true, force: true });
          }
        },
      },
      quick ? 2 : 3,
    );
  } finally {
    await session.close();
  }
}

/** Highest resident memory of `assay train` over a file of this many objects, in MB. */
async function peakMemory(count: number, steps: number): Promise<{ peak: number; dataset: number }> {
  const folder = mkdtempSync(join(tmpdir(), "assay-memory-"));
  try {
    const block = makeObjects(65_536);
    const file = openSync(join(folder, "objects.bin"), "w");
    for (let left = count; left > 0; left -= 65_536)
      writeSync(file, block, 0, Math.min(left, 65_536) * objectBytes);
    closeSync(file);
    const config = {
      dataset: { source: "objects.bin", kind: "objects", objectBytes },
      input: { offset: 0, encoding: "u8", add: -33, exponent: -6, shape: [1, 28, 28], layout: "NCHW" },
      target: { offset: pixels, encoding: "u8", classes },
      model: { kind: "lenet5" },
      profile: "E8",
      microBatch,
      steps,
      learningRate: 0.01,
      memoryMiB: 512,
    };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    const main = join(import.meta.dirname, "..", "keepers", "src", "cli", "main.ts");
    const child = spawn(
      process.execPath,
      [main, "train", join(folder, "config.json"), "--out", join(folder, "run")],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    let peak = 0;
    const watch = setInterval(() => {
      try {
        const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
        peak = Math.max(peak, (Number(found?.[1] ?? 0) * 1024) / mebibyte);
      } catch {
        // It has ended.
      }
    }, 50);
    const code = await new Promise<number | null>((done) => child.on("exit", done));
    clearInterval(watch);
    if (code !== 0 || peak === 0) throw new Error(`assay train ended with ${code}`);
    return { peak, dataset: (count * objectBytes) / mebibyte };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a trace costs, and what memory training takes when the dataset is larger. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  for (const bits of [8, 16] as const) {
    const { bare, traced } = await commitments(bits, quick);
    report({
      name: `LeNet-5 E${bits}, training with trace and one checkpoint`,
      value: traced,
      unit: "s",
      peer: "the same steps without",
      peerValue: bare,
      ratio: traced / bare,
      note: "metrics and logs included; the commitments alone are chosen to stay below 1.05",
    });
  }
  if (process.platform !== "linux") return;
  const { peak, dataset } = await peakMemory(quick ? 200_000 : 2_000_000, 300);
  report({
    name: "LeNet-5 E8, assay train with memoryMiB 512, peak resident memory",
    value: peak,
    unit: "MB",
    peer: "the dataset itself",
    peerValue: dataset,
    ratio: peak / dataset,
    note: "Node.js, engine and graphs included",
  });
}
