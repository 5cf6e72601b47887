import type { Layout, Program, TapeNode } from "../../core/exact/tape/types.ts";
import { compile } from "../../training/compiler/compile.ts";
import { buildModel } from "../../training/models/built-in.ts";
import { ForwardBuilder } from "../../training/models/layers.ts";
import type { OnnxModel } from "../../training/onnx/types.ts";
import { objectsOf, type TinyJob, tinyJob } from "./tiny-job.ts";

const microBatch = 2;

/** Names of the jobs that disputes are simulated over; between them they have every opcode. */
export const tinyJobNames = ["mlp", "mlp8", "cnn", "sums"] as const;
export type TinyJobName = (typeof tinyJobNames)[number];

/** Makes a job anew. */
export function makeTinyJob(name: TinyJobName): TinyJob {
  switch (name) {
    case "mlp":
      return classifier(name, mlp(), [12], { steps: 16, interval: 2 });
    case "mlp8":
      return classifier(name, mlp(), [12], { steps: 5, interval: 2, bits: 8 });
    case "cnn":
      return classifier(name, convolutional(), [1, 8, 8], { steps: 3, interval: 2 });
    case "sums":
      return longSums(name);
  }
}

function mlp(): OnnxModel {
  return buildModel("mlp", { inputs: 12, hidden: [9], classes: 5, batch: microBatch });
}

/** Convolutions with and without a pool, a residual connection, both kinds of pools: as small as they come. */
function convolutional(): OnnxModel {
  const model = new ForwardBuilder("tiny-cnn", [microBatch, 1, 8, 8]);
  const first = model.relu(model.conv(model.input, { name: "first", channels: 2, kernel: 3, pad: 1 }));
  const pooled = model.maxPool2(first);
  const entry = model.relu(model.conv(pooled, { name: "entry", channels: 2, kernel: 3, pad: 1 }));
  let x = model.conv(entry, { name: "block", channels: 2, kernel: 3, pad: 1 });
  x = model.maxPool2(model.relu(model.add(x, entry)));
  x = model.relu(model.conv(x, { name: "exit", channels: 3, kernel: 3, stride: 2, pad: 1 }));
  x = model.flatten(model.globalAveragePool(x));
  return model.build(model.linear(x, "fc", 5));
}

function classifier(
  name: string,
  model: OnnxModel,
  shape: number[],
  { bits = 16, steps, interval }: { bits?: 8 | 16; steps: number; interval: number },
): TinyJob {
  const values = shape.reduce((a, b) => a * b, 1);
  const classes = 5;
  const program = compile({
    model,
    bits,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -128,
      exponent: -7,
      layout: shape.length === 1 ? "flat" : "NCHW",
      shape,
    },
    target: { offset: values, encoding: "u8", classes },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982, weightDecay: 100 },
  });
  const objects = objectsOf(21, values + 1);
  for (const [i, object] of objects.entries()) object[values] = i % classes;
  return tinyJob({ name, program, objects, microBatches: 2, steps, interval });
}

/** Products of a sum that is cut into ranges before it can be opened. */
const width = 4_096;

/** Opcodes that models made of layers do not have, and a contraction that is longer than what opens at once. */
function longSums(name: string): TinyJob {
  const vector = (dtype: Layout["dtype"], shape: number[]): Layout => ({ dtype, shape, rowAxes: 1 });
  const x = vector("I16", [microBatch, width]);
  const gradient = vector("I32", [microBatch, width]);
  const input = (offset: number, exponent: number): TapeNode => ({
    opcode: "INPUT",
    inputs: [],
    output: x,
    attributes: { offset, encoding: 2, multiply: 1, add: 0, exponent, classes: 0 },
  });
  const batchTape: TapeNode[] = [
    input(0, -7),
    input(2 * width, -9),
    { opcode: "MSE_GRAD", inputs: [0, 1], output: x, attributes: {} },
    { opcode: "RELU", inputs: [2], output: x, attributes: {} },
    {
      opcode: "MATMUL",
      inputs: [3, 1],
      output: vector("I16", [microBatch, microBatch]),
      attributes: { flags: 0, exponent: 0 },
    },
    { opcode: "SHIFT", inputs: [2], output: gradient, attributes: { exponent: -26 } },
    { opcode: "STORE", inputs: [5], output: gradient, attributes: { space: 1, slot: 0 } },
  ];
  const program = withOptimizer(batchTape, gradient, 4);
  const size = { microBatches: 2, steps: 2, interval: 2 };
  return tinyJob({ name, program, objects: objectsOf(8, 4 * width), ...size });
}

/** Reduction and optimiser of one weight and its momentum. */
function withOptimizer(batchTape: TapeNode[], layout: Layout, witness: number): Program {
  const slot = (name: string, role: "weight" | "momentum", exponent: number) =>
    ({ name, role, layout, exponent, initializer: { kind: "zero" } }) as const;
  const load = (space: number, from: number): TapeNode => ({
    opcode: "LOAD",
    inputs: [],
    output: layout,
    attributes: { space, slot: from },
  });
  const store = (value: number, space: number, to: number): TapeNode => ({
    opcode: "STORE",
    inputs: [value],
    output: layout,
    attributes: { space, slot: to },
  });
  return {
    bits: 16,
    microBatch,
    state: [slot("w", "weight", -28), slot("v", "momentum", -26)],
    gradients: [layout],
    tapes: [
      batchTape,
      [{ opcode: "ACCUMULATE", inputs: [], output: layout, attributes: { slot: 0 } }, store(0, 2, 0)],
      [
        load(0, 0),
        load(0, 1),
        load(2, 0),
        {
          opcode: "SGD_MOMENTUM",
          inputs: [2, 1, 0],
          output: layout,
          attributes: { momentum: 58_982, momentumShift: 16, weightDecay: 33, weightDecayShift: 16 },
        },
        { opcode: "SGD_WEIGHT", inputs: [0, 3], output: layout, attributes: { learningRateShift: 16 } },
        store(4, 0, 0),
        store(3, 0, 1),
      ],
    ],
    witness,
    target: 1,
    loss: "mean-squared-error",
  };
}
