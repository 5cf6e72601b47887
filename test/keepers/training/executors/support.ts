import { createHash } from "node:crypto";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import type { Program, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import type { StepInput } from "../../../../keepers/src/training/executors/types.ts";
import { buildModel } from "../../../../keepers/src/training/models/built-in.ts";

/** A program, its first state, and steps over random objects. */
export type Fixture = {
  readonly program: Program;
  readonly objectBytes: number;
  readonly state: Int32Array[];
  steps(count: number, microBatches: number): StepInput[];
};

type ModelName = "mlp" | "lenet5" | "residual-cnn" | "softmax-regression";

const models: { readonly [M in ModelName]: { options: Record<string, unknown>; shape: readonly number[] } } =
  {
    "softmax-regression": { options: { inputs: 12, classes: 3 }, shape: [12] },
    mlp: { options: { inputs: 20, hidden: [9, 7], classes: 5 }, shape: [20] },
    lenet5: { options: {}, shape: [1, 28, 28] },
    "residual-cnn": { options: { channels: 2, height: 8, width: 8, classes: 4 }, shape: [2, 8, 8] },
  };

export function fixture(name: ModelName, bits: 8 | 16, microBatch: number): Fixture {
  const { options, shape } = models[name];
  const pixels = shape.reduce((product, size) => product * size, 1);
  const classes = (options.classes as number | undefined) ?? 10;
  const program = compile({
    model: buildModel(name, { ...options, batch: microBatch }),
    bits,
    microBatch,
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
    optimizer: { momentum: 58_982, weightDecay: 33 },
  });
  const objectBytes = pixels + 1;
  return {
    program,
    objectBytes,
    state: initialState(program, new Uint8Array(32).fill(7)),
    steps: (count, microBatches) =>
      Array.from({ length: count }, (_, step) => {
        const bytes = randomBytes(`${name} ${step}`, microBatches * microBatch * objectBytes);
        const objects = bytes.map((byte, i) => ((i + 1) % objectBytes === 0 ? byte % classes : byte));
        return { objects, learningRate: 3000 };
      }),
  };
}

function randomBytes(seed: string, count: number): Uint8Array {
  const bytes = createHash("shake256", { outputLength: count }).update(seed).digest();
  return new Uint8Array(bytes);
}

/** sha256 over arrays, their bytes as they lie in memory. */
export function hash(arrays: Iterable<ArrayBufferView>): string {
  const digest = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) {
    digest.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return digest.digest("hex");
}

/** Plain form of a tensor, in which −0 and 0 differ. */
export function plain({ exponent, mantissas }: Tensor): { exponent: number; mantissas: number[] } {
  return { exponent, mantissas: [...mantissas] };
}
