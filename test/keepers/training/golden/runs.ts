import { stateRoot } from "../../../../keepers/src/core/exact/commitment.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { philoxInto, randomKey } from "../../../../keepers/src/core/exact/random/philox.ts";
import { learningRateAt, type Schedule } from "../../../../keepers/src/core/exact/schedule.ts";
import type { MantissaBits, Program } from "../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import type {
  Executor,
  ExecutorOptions,
  StepInput,
} from "../../../../keepers/src/training/executors/types.ts";
import { type BuiltInModelName, buildModel } from "../../../../keepers/src/training/models/built-in.ts";

/** A training run that every realisation must end with the same bits. */
export type GoldenRun = {
  readonly name: string;
  readonly model: BuiltInModelName;
  readonly options: Record<string, unknown>;
  readonly bits: MantissaBits;
  readonly microBatch: number;
  readonly microBatches: number;
  /** Of one sample, as it lies in an object. */
  readonly shape: readonly number[];
  readonly layout: "flat" | "NCHW";
  readonly steps: number;
};

export const classes = 10;
export const seed = `0x${"a5".repeat(32)}` as const;
/** Two values, so that a run that ignores the schedule ends elsewhere. */
export const schedule: Schedule = { table: [1311, 655], every: 50 };

const shapes = {
  "softmax-regression": { options: { inputs: 64, classes }, shape: [64], layout: "flat", microBatch: 64 },
  mlp: { options: { inputs: 64, hidden: [32, 24], classes }, shape: [64], layout: "flat", microBatch: 64 },
  lenet5: { options: {}, shape: [1, 28, 28], layout: "NCHW", microBatch: 64 },
  "residual-cnn": {
    options: { channels: 1, height: 8, width: 8, classes },
    shape: [1, 8, 8],
    layout: "NCHW",
    microBatch: 16,
  },
} as const;

export const goldenRuns: readonly GoldenRun[] = Object.entries(shapes).flatMap(([model, setting]) =>
  ([8, 16] as const).flatMap((bits) => {
    const run = { model: model as BuiltInModelName, bits, steps: 100, microBatches: 1, ...setting };
    const runs = [{ ...run, name: `${model} E${bits}` }];
    if (model === "mlp") runs.push({ ...run, microBatches: 4, name: `${model} E${bits}, 4 micro-batches` });
    return runs;
  }),
);

const values = ({ shape }: GoldenRun) => shape.reduce((product, size) => product * size, 1);
export const objectBytes = (run: GoldenRun): number => values(run) + 1;

export function programOf(run: GoldenRun): Program {
  return compile({
    model: buildModel(run.model, { ...run.options, batch: run.microBatch }),
    bits: run.bits,
    microBatch: run.microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -33,
      exponent: -6,
      layout: run.layout,
      shape: run.shape,
    },
    target: { offset: values(run), encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982, weightDecay: 7 },
  });
}

/**
 * Step t's objects: samples that a model can learn. Byte i of sample s is noise, brighter where i + label is a multiple
 * of the number of classes; the last byte is the label.
 */
function objectsOf(run: GoldenRun, step: number): Uint8Array {
  const size = objectBytes(run);
  const samples = run.microBatch * run.microBatches;
  const bytes = new Uint8Array(samples * size);
  const key = randomKey(seed, 4);
  const words = new Uint32Array(4);
  for (let sample = 0; sample < samples; sample++) {
    const label = (step * 7 + sample * 3) % classes;
    for (let i = 0; i < size - 1; i += 16) {
      philoxInto(words, key[0], key[1], i, step, sample, 0);
      for (let j = 0; j < 16 && i + j < size - 1; j++) {
        const noise = (words[j >> 2]! >>> (8 * (j & 3))) & 255;
        bytes[sample * size + i + j] = (noise >> 1) + ((i + j + label) % classes === 0 ? 120 : 0);
      }
    }
    bytes[(sample + 1) * size - 1] = label;
  }
  return bytes;
}

export function stepsOf(run: GoldenRun, first = 0, last = run.steps): StepInput[] {
  return Array.from({ length: last - first }, (_, i) => ({
    objects: objectsOf(run, first + i),
    learningRate: learningRateAt(schedule, first + i),
  }));
}

/** Roots after the first step and after the last, in hexadecimal. */
export type Roots = { readonly first: string; readonly last: string };
const hex = (root: Uint8Array) => `0x${Buffer.from(root).toString("hex")}`;

/** Trains from the seed; `pauses` are steps at which the state is taken out and put into a new session. */
export async function train(
  executor: Executor,
  run: GoldenRun,
  settings: Pick<ExecutorOptions, "threads" | "optimization"> & { pauses?: readonly number[] } = {},
): Promise<Roots> {
  const program = programOf(run);
  let state = initialState(program, seed);
  let first: string | undefined;
  const { pauses = [], ...options } = settings;
  const ends = [...new Set([1, ...pauses, run.steps])].sort((a, b) => a - b);
  let session = await executor.open(program, {
    objectBytes: objectBytes(run),
    microBatches: run.microBatches,
    ...options,
  });
  try {
    await session.setState(state);
    let at = 0;
    for (const end of ends) {
      await session.run(stepsOf(run, at, end));
      at = end;
      state = await session.getState();
      first ??= hex(stateRoot(program, state));
      if (!pauses.includes(end)) continue;
      await session.close();
      session = await executor.open(program, {
        objectBytes: objectBytes(run),
        microBatches: run.microBatches,
        ...options,
      });
      await session.setState(state);
    }
  } finally {
    await session.close();
  }
  return { first: first!, last: hex(stateRoot(program, state)) };
}
