import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MantissaBits, Program, TapeNode } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../../keepers/src/training/compiler/compile.ts";
import type { CompileOptions } from "../../../../../keepers/src/training/compiler/options.ts";
import { NoFastRule } from "../../../../../keepers/src/training/lowering/fast/errors.ts";
import { lowerFast } from "../../../../../keepers/src/training/lowering/fast/lower-fast.ts";
import { lenet5 } from "../../../../../keepers/src/training/models/lenet5.ts";
import { mlp } from "../../../../../keepers/src/training/models/mlp.ts";
import { residualCnn } from "../../../../../keepers/src/training/models/residual-cnn.ts";
import type { OnnxModel } from "../../../../../keepers/src/training/onnx/types.ts";
import {
  assertSameRun,
  type Magnitudes,
  randomSource,
  randomState,
  runFast,
  runReference,
} from "./compare.ts";
import { modelCases } from "./models.ts";

const profiles: MantissaBits[] = [8, 16];

function classifier(
  model: OnnxModel,
  bits: MantissaBits,
  microBatch: number,
  shape: readonly number[],
  classes: number,
  options: Partial<CompileOptions> = {},
): Program {
  return compile({
    model,
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
    target: { offset: shape.reduce((a, b) => a * b, 1), encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982, weightDecay: 33 },
    ...options,
  });
}

type Comparison = {
  program: Program;
  objectBytes: number;
  classes: number;
  steps: number;
  microBatches?: number;
  seed?: number;
  magnitude?: Magnitudes;
  /** A byte of an object, from a number in [0, 1). */
  byte?: (random: number) => number;
};

/** Steps of the fast graphs (one by one, and all in one run) against the definition. */
async function compare({
  program,
  objectBytes,
  classes,
  steps: count,
  microBatches = 1,
  seed = 1,
  magnitude = () => 2 ** 26,
  byte = (random) => Math.floor(random * 256),
}: Comparison): Promise<void> {
  const random = randomSource(seed);
  const state = randomState(program, random, magnitude);
  const rows = microBatches * program.microBatch;
  const steps = Array.from({ length: count }, () => {
    const objects = Uint8Array.from({ length: rows * objectBytes }, () => byte(random()));
    for (let row = 1; row <= rows; row++) objects[row * objectBytes - 1] = Math.floor(random() * classes);
    return { objects, learningRate: Math.floor(random() * 65_536) };
  });
  const expected = runReference(program, state, steps, objectBytes);
  for (const kind of [1, "loop"] as const) {
    const graph = lowerFast(program, { objectBytes, microBatches, steps: kind });
    const dims = [rows, objectBytes] as const;
    const actual = await runFast(graph, state, steps, dims, kind === 1 ? 1 : count);
    assertSameRun(program, actual, expected);
  }
}

/** Weights from none at all to the largest, slot by slot. */
function extremes(random: () => number): Magnitudes {
  const magnitudes = [0, 1, 300, 2 ** 15, 2 ** 24, 2 ** 31 - 1];
  return () => magnitudes[Math.floor(random() * magnitudes.length)]!;
}

describe("the fast graph computes the bits of the tape", () => {
  for (const bits of profiles) {
    describe(`in E${bits}`, () => {
      for (const { name, shape, outputs, model } of modelCases) {
        it(name, async () => {
          const program = classifier(model(4), bits, 4, shape, outputs);
          const objectBytes = shape.reduce((a, b) => a * b, 1) + 1;
          await compare({ program, objectBytes, classes: outputs, steps: 3 });
        });
      }

      it("states from zero to the largest integers", async () => {
        const [pooled, residual] = [modelCases[0]!, modelCases.at(-1)!];
        for (const { shape, outputs, model } of [pooled, residual]) {
          const program = classifier(model(4), bits, 4, shape, outputs);
          const objectBytes = shape.reduce((a, b) => a * b, 1) + 1;
          for (let seed = 1; seed <= 8; seed++) {
            const magnitude = extremes(randomSource(100 + seed));
            await compare({ program, objectBytes, classes: outputs, steps: 2, seed, magnitude });
          }
        }
      });

      it("sums so small that nothing is rounded away, and biases that reach their limit", async () => {
        const { shape, outputs, model } = modelCases[0]!;
        const program = classifier(model(4), bits, 4, shape, outputs);
        const objectBytes = shape.reduce((a, b) => a * b, 1) + 1;
        const isBias = (slot: number) => program.state[slot]!.layout.shape.length === 1;
        const common = { program, objectBytes, classes: outputs, steps: 1 };
        // Pixels of 33 ± 1 are inputs of ±1.
        const byte = (random: number) => 32 + Math.floor(random * 3);
        const raised = classifier(model(4), bits, 4, shape, outputs, {
          input: { offset: 0, encoding: "u8", multiply: 1, add: -33, exponent: 60, layout: "NCHW", shape },
        });
        await compare({ ...common, program: raised, byte, magnitude: (slot) => (isBias(slot) ? 0 : 1) });
        await compare({ ...common, magnitude: (slot) => (isBias(slot) ? 2 ** 31 - 1 : 2) });
      });

      it("mean squared error, and targets of 32 bits", async () => {
        const model = mlp({ inputs: 7, hidden: [9], classes: 3, batch: 8 });
        const value = { multiply: 1, add: 0, exponent: -20, encoding: "i32" } as const;
        const program = classifier(model, bits, 8, [7], 3, {
          input: {
            offset: 0,
            encoding: "i16",
            multiply: 1,
            add: 0,
            exponent: -9,
            layout: "flat",
            shape: [7],
          },
          target: { ...value, offset: 14 },
          loss: "mean-squared-error",
        });
        await compare({ program, objectBytes: 26, classes: 256, steps: 3 });
      });

      it("inputs that need more than one exact sum", async () => {
        const model = mlp({ inputs: 900, hidden: [4], classes: 3, batch: 4 });
        const program = classifier(model, bits, 4, [900], 3);
        await compare({ program, objectBytes: 901, classes: 3, steps: 2 });
      });

      it("LeNet-5", async () => {
        const program = classifier(lenet5({ batch: 2 }), bits, 2, [1, 28, 28], 10);
        await compare({ program, objectBytes: 785, classes: 10, steps: 1, magnitude: () => 2 ** 25 });
      });

      it("the residual network", async () => {
        const model = residualCnn({ height: 6, width: 6, classes: 3, batch: 4 });
        const program = classifier(model, bits, 4, [1, 6, 6], 3);
        await compare({ program, objectBytes: 37, classes: 3, steps: 2 });
      });

      it("a network of linear layers, several micro-batches to a step", async () => {
        const model = mlp({ inputs: 20, hidden: [8, 6], classes: 5, batch: 8 });
        const program = classifier(model, bits, 8, [20], 5);
        for (const microBatches of [1, 4]) {
          await compare({ program, objectBytes: 21, classes: 5, steps: 3, microBatches });
        }
      });
    });
  }

  it("on any number of threads and at any optimisation", async () => {
    const { shape, outputs, model } = modelCases[0]!;
    for (const bits of profiles) {
      const program = classifier(model(8), bits, 8, shape, outputs);
      const objectBytes = shape.reduce((a, b) => a * b, 1) + 1;
      const random = randomSource(7);
      const state = randomState(program, random, () => 2 ** 26);
      const steps = [655, 7].map((learningRate) => {
        const objects = Uint8Array.from({ length: 8 * objectBytes }, () => Math.floor(random() * 256));
        for (let row = 1; row <= 8; row++) objects[row * objectBytes - 1] = row % outputs;
        return { objects, learningRate };
      });
      const graph = lowerFast(program, { objectBytes, microBatches: 1, steps: "loop" });
      const expected = runReference(program, state, steps, objectBytes);
      for (const optimization of ["all", "basic", "disabled"] as const) {
        for (const threads of [1, 2]) {
          const engine = { threads, optimization };
          assertSameRun(program, await runFast(graph, state, steps, [8, objectBytes], 2, engine), expected);
        }
      }
    }
  });
});

describe("the fast lowering refuses", () => {
  const { program } = {
    program: classifier(mlp({ inputs: 4, hidden: [3], classes: 2, batch: 2 }), 8, 2, [4], 2),
  };
  const options = { objectBytes: 5, microBatches: 1, steps: 1 } as const;

  it("a tape that joins the batch with another axis", () => {
    const tape = [...program.tapes[0]];
    const at = tape.findIndex(({ opcode }) => opcode === "RELAYOUT");
    const node = tape[at] as TapeNode<"RELAYOUT">;
    tape[at] = { ...node, attributes: { ...node.attributes, view2: 1, view3: 4 } };
    const changed: Program = { ...program, tapes: [tape, program.tapes[1], program.tapes[2]] };
    assert.throws(() => lowerFast(changed, options), NoFastRule);
  });

  it("an optimiser that is not SGD slot by slot", () => {
    const tape = program.tapes[2].slice(0, -1);
    const changed: Program = { ...program, tapes: [program.tapes[0], program.tapes[1], tape] };
    assert.throws(() => lowerFast(changed, options), NoFastRule);
  });
});
