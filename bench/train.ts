import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { initialState } from "../keepers/src/core/exact/random/initialize.ts";
import type { MantissaBits, Program } from "../keepers/src/core/exact/tape/types.ts";
import { compile } from "../keepers/src/training/compiler/compile.ts";
import { nativeExecutor } from "../keepers/src/training/executors/native.ts";
import type { Executor } from "../keepers/src/training/executors/types.ts";
import { wasmExecutor } from "../keepers/src/training/executors/wasm.ts";
import { type BuiltInModelName, buildModel } from "../keepers/src/training/models/built-in.ts";
import type { BenchOptions, Report } from "./measure.ts";

const microBatch = 64;
const pixels = 784;
const objectBytes = pixels + 1;
const classes = 10;

type ModelCase = {
  name: BuiltInModelName;
  title: string;
  options: Record<string, unknown>;
  shape: number[];
  /** Steps in a row: enough that the caches are the contender's own. */
  burst: number;
};

const image = [1, 28, 28];
const cases: ModelCase[] = [
  { name: "lenet5", title: "LeNet-5", options: {}, shape: image, burst: 40 },
  {
    name: "mlp",
    title: "MLP 784-128-64-10",
    options: { inputs: pixels, hidden: [128, 64], classes },
    shape: [pixels],
    burst: 80,
  },
  { name: "residual-cnn", title: "residual CNN", options: { classes }, shape: image, burst: 8 },
];

type Contender = {
  /** Runs some steps and gives the milliseconds of one. */
  run(steps: number): Promise<number>;
  close(): Promise<void>;
};
/** A contender that says its version and its BLAS: what that is decides much of its time. */
type Peer = Contender & { describe(): Promise<string> };

/**
 * Training steps of the executors next to PyTorch in float32, one thread each, in turn: burst after burst, the first
 * tenth of the bursts' means. The executors get uint8 objects, PyTorch prepared floats.
 */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const rounds = quick ? 3 : 12;
  for (const model of cases) {
    const { burst } = model;
    const contenders = {
      e8: await executor(nativeExecutor, model, 8),
      e16: await executor(nativeExecutor, model, 16),
      wasm8: await executor(wasmExecutor, model, 8),
      wasm16: await executor(wasmExecutor, model, 16),
      float32: pytorch(model.name, "default"),
      deterministic: pytorch(model.name, "deterministic"),
    };
    const all = Object.entries(contenders) as [keyof typeof contenders, Contender][];
    try {
      const peerBuild = await contenders.float32.describe();
      const times = new Map(all.map(([name]) => [name, [] as number[]]));
      for (const [, contender] of all) await contender.run(burst);
      for (let round = 0; round < rounds; round++) {
        for (const [name, contender] of all) times.get(name)!.push(await contender.run(burst));
      }
      const lowTenth = (name: keyof typeof contenders) => {
        const sorted = times.get(name)!.sort((a, b) => a - b);
        return sorted[Math.floor(sorted.length / 10)]!;
      };
      const row = (
        name: string,
        own: keyof typeof contenders,
        peer: string,
        other: keyof typeof contenders,
      ) =>
        report({
          name: `${model.title}, step of ${microBatch}, ${name}`,
          value: lowTenth(own),
          unit: "ms",
          peer,
          peerValue: lowTenth(other),
          ratio: lowTenth(own) / lowTenth(other),
          note: own.startsWith("wasm") ? "lower is better" : `lower is better; ${peerBuild}`,
        });
      for (const [bits, own] of [
        ["E8", "e8"],
        ["E16", "e16"],
      ] as const) {
        row(bits, own, "PyTorch float32", "float32");
        row(bits, own, "PyTorch float32, deterministic algorithms", "deterministic");
      }
      row("E8 in WASM", "wasm8", "native", "e8");
      row("E16 in WASM", "wasm16", "native", "e16");
    } finally {
      await Promise.all(all.map(([, contender]) => contender.close()));
    }
  }
}

function programOf({ name, options, shape }: ModelCase, bits: MantissaBits): Program {
  return compile({
    model: buildModel(name, { ...options, batch: microBatch }),
    bits,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -33,
      exponent: -6,
      layout: shape.length === 3 ? "NCHW" : "flat",
      shape,
    },
    target: { offset: pixels, encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982 },
  });
}

async function executor(engine: Executor, model: ModelCase, bits: MantissaBits): Promise<Contender> {
  const program = programOf(model, bits);
  const session = await engine.open(program, { objectBytes, microBatches: 1, threads: 1 });
  await session.setState(initialState(program, `0x${"11".repeat(32)}`));
  const objects = Uint8Array.from(
    { length: microBatch * objectBytes },
    (_, i) => Math.imul(i + 1, 2654435761) >>> 24,
  );
  for (let row = 1; row <= microBatch; row++) objects[row * objectBytes - 1] = row % classes;
  return {
    async run(steps) {
      const inputs = Array.from({ length: steps }, () => ({ objects, learningRate: 655 }));
      const start = performance.now();
      await session.run(inputs);
      return (performance.now() - start) / steps;
    },
    close: () => session.close(),
  };
}

/** A process of PyTorch whose allocator keeps its memory: without that a step takes up to twice as long. */
function pytorch(model: BuiltInModelName, mode: "default" | "deterministic"): Peer {
  const script = fileURLToPath(new URL("./peers/train.py", import.meta.url));
  const keep = String(2 ** 30);
  const child = spawn(process.env.ASSAY_PYTHON ?? "/usr/bin/python3", [script, model, mode], {
    env: {
      ...process.env,
      OMP_NUM_THREADS: "1",
      OPENBLAS_NUM_THREADS: "1",
      MALLOC_MMAP_THRESHOLD_: keep,
      MALLOC_TRIM_THRESHOLD_: keep,
      MALLOC_TOP_PAD_: String(2 ** 29),
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("PyTorch failed: Debian's python3-torch is needed");
    return value;
  };
  const description = line();
  // Awaited where it is used: a failure must not end the process before.
  description.catch(() => undefined);
  return {
    describe: () => description,
    async run(steps) {
      await description;
      child.stdin.write(`${steps}\n`);
      return Number(await line());
    },
    async close() {
      child.stdin.end();
    },
  };
}
