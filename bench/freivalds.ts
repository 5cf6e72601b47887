import { createHash } from "node:crypto";
import { initialState } from "../keepers/src/core/exact/random/initialize.ts";
import type { Program } from "../keepers/src/core/exact/tape/types.ts";
import { compile } from "../keepers/src/training/compiler/compile.ts";
import { nativeEngine, nativeExecutor } from "../keepers/src/training/executors/native.ts";
import { openPlan } from "../keepers/src/training/executors/open-plan.ts";
import type { StepInput } from "../keepers/src/training/executors/types.ts";
import { CheapestWay } from "../keepers/src/training/freivalds/cheapest-way.ts";
import { openProvider } from "../keepers/src/training/freivalds/provide.ts";
import { accumulatorBytes } from "../keepers/src/training/freivalds/serialize.ts";
import { openVerifier } from "../keepers/src/training/freivalds/verify.ts";
import { buildModel } from "../keepers/src/training/models/built-in.ts";
import { type BenchOptions, interleave, type Report } from "./measure.ts";

type Case = {
  readonly name: string;
  readonly model: string;
  readonly options: Record<string, unknown>;
  /** Of one sample. */
  readonly shape: readonly number[];
  readonly bits: 8 | 16;
  readonly batch: number;
};

const classes = 10;
const seed = new Uint8Array(32).fill(5);
/** Steps that an executor runs in one go, as a validator would re-execute an interval. */
const stepsInOneGo = 4;
/** Links to a provider, in bytes a second. */
const links = [12.5e6, 1.25e9];

function square(width: number, batch: number): Case {
  return {
    name: `MLP ${width}-${width}-${width}-10, batch ${batch}, E8`,
    model: "mlp",
    options: { inputs: width, hidden: [width, width], classes },
    shape: [width],
    bits: 8,
    batch,
  };
}

function cases(quick: boolean): Case[] {
  const image = [1, 28, 28];
  const profiles = ([8, 16] as const).flatMap((bits): Case[] => [
    { name: `LeNet-5, batch 64, E${bits}`, model: "lenet5", options: {}, shape: image, bits, batch: 64 },
    {
      name: `MLP 784-1024-1024-10, batch 64, E${bits}`,
      model: "mlp",
      options: { inputs: 784, hidden: [1024, 1024], classes },
      shape: [784],
      bits,
      batch: 64,
    },
    {
      name: `residual CNN 28 × 28, batch 64, E${bits}`,
      model: "residual-cnn",
      options: { channels: 1, height: 28, width: 28, classes },
      shape: image,
      bits,
      batch: 64,
    },
  ]);
  const widths = quick ? [256] : [256, 512, 1024, 2048];
  const batches = quick ? [64] : [64, 512];
  const squares = batches.flatMap((batch) => widths.map((width) => square(width, batch)));
  return quick ? [...profiles, ...squares] : [...profiles, ...squares, square(1024, 4096)];
}

/** Freivalds' check of a step against executing it again, on one thread. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  for (const each of cases(quick)) await compare(report, each, quick || each.batch > 512 ? 3 : 12);
}

async function compare(report: Report, each: Case, rounds: number): Promise<void> {
  const { program, objectBytes } = programOf(each);
  const options = { objectBytes, microBatches: 1, threads: 1 };
  const state = initialState(program, seed);
  const input = stepOf(each, objectBytes);
  const steps = Array.from({ length: stepsInOneGo }, () => input);
  const fast = await nativeExecutor.open(program, options);
  const open = await openPlan(nativeEngine, program, options);
  const provider = await openProvider(program, options);
  const verifier = await openVerifier(program, options);
  try {
    await fast.setState(state);
    await fast.run([input]);
    const stateAfter = await fast.getState();
    const claim = { accumulators: await provider.accumulators(state, input.objects), stateAfter };
    const started = open.start(state);
    const best = await interleave(
      {
        verify: timed(async () => {
          const verdict = await verifier.verify(state, input, claim, seed);
          if (!verdict.ok) throw new Error(`an honest step was refused: ${verdict.reason}`);
        }),
        fast: async () => (await seconds(() => fast.run(steps))) / stepsInOneGo,
        open: timed(() => open.run(started, [input])),
      },
      rounds,
    );
    const megabytes = (accumulatorBytes(program) / 1e6).toPrecision(3);
    const row = (peer: string, peerSeconds: number, note: string) =>
      report({
        name: `verify a step, ${each.name}`,
        value: best.verify * 1e3,
        unit: "ms",
        peer,
        peerValue: peerSeconds * 1e3,
        ratio: best.verify / peerSeconds,
        note,
      });
    const handed = `lower is better, pays below 1; error 2^−${verifier.errorBits}`;
    row("executing it again, native executor", best.fast, `${handed}; ${megabytes} MB of sums handed over`);
    row("executing it again, every tensor at hand (open graphs)", best.open, handed);
    for (const [peer, seconds] of [
      ["executing it again, native executor", best.fast],
      ["executing it again, every tensor at hand (open graphs)", best.open],
    ] as const) {
      const chosen = links.map((link) => cheapest(program, link, seconds, best.verify));
      const ways = chosen.map(({ way }, i) => `${way} at ${(links[i]! * 8) / 1e9} Gbit/s`).join(", ");
      report({
        name: `check a step the cheaper way, ${each.name}`,
        value: chosen.at(-1)!.seconds * 1e3,
        unit: "ms",
        peer,
        peerValue: seconds * 1e3,
        ratio: chosen.at(-1)!.seconds / seconds,
        note: `transfer included, at ${(links.at(-1)! * 8) / 1e9} Gbit/s; the cost model's choice: ${ways}`,
      });
    }
  } finally {
    await Promise.all([fast.close(), open.close(), provider.close(), verifier.close()]);
  }
}

/** What a validator would do that has measured these seconds, and what that takes it with the transfer. */
function cheapest(program: Program, bytesPerSecond: number, execute: number, verify: number) {
  const chooser = new CheapestWay({ program, microBatches: 1, bytesPerSecond });
  const steps = 100;
  for (const _ of [0, 1]) chooser.executed(1, execute);
  for (const _ of [0, 1]) if (chooser.next(steps).way === "verify") chooser.verified(verify);
  const { way } = chooser.next(steps);
  const seconds = way === "verify" ? verify + accumulatorBytes(program) / bytesPerSecond : execute;
  return { way: way === "verify" ? "verifies" : "executes", seconds };
}

function timed(work: () => Promise<unknown>): () => Promise<number> {
  return () => seconds(work);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function programOf({ model, options, shape, bits, batch }: Case): {
  program: Program;
  objectBytes: number;
} {
  const pixels = shape.reduce((product, size) => product * size, 1);
  const program = compile({
    model: buildModel(model, { ...options, batch }),
    bits,
    microBatch: batch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -33,
      exponent: -6,
      layout: shape.length === 1 ? "flat" : "NCHW",
      shape,
    },
    target: { offset: pixels, encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982 },
  });
  return { program, objectBytes: pixels + 1 };
}

/** Random pixels and labels. */
function stepOf({ batch }: Case, objectBytes: number): StepInput {
  const bytes = createHash("shake256", { outputLength: batch * objectBytes })
    .update("freivalds")
    .digest();
  const objects = Uint8Array.from(bytes, (byte, i) => ((i + 1) % objectBytes === 0 ? byte % classes : byte));
  return { objects, learningRate: 1311 };
}
