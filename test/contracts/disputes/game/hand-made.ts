import type { Layout, Program, TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";
import { Job } from "./story.ts";

const microBatch = 2;
const vector = (dtype: Layout["dtype"], shape: number[]): Layout => ({ dtype, shape, rowAxes: 1 });

/** Reduction and optimiser of one weight and its momentum. */
function rest(layout: Layout): [TapeNode[], TapeNode[]] {
  const node = <T extends TapeNode>(each: T): T => each;
  return [
    [
      node({ opcode: "ACCUMULATE", inputs: [], output: layout, attributes: { slot: 0 } }),
      node({ opcode: "STORE", inputs: [0], output: layout, attributes: { space: 2, slot: 0 } }),
    ],
    [
      node({ opcode: "LOAD", inputs: [], output: layout, attributes: { space: 0, slot: 0 } }),
      node({ opcode: "LOAD", inputs: [], output: layout, attributes: { space: 0, slot: 1 } }),
      node({ opcode: "LOAD", inputs: [], output: layout, attributes: { space: 2, slot: 0 } }),
      {
        opcode: "SGD_MOMENTUM",
        inputs: [2, 1, 0],
        output: layout,
        attributes: { momentum: 58_982, momentumShift: 16, weightDecay: 33, weightDecayShift: 16 },
      },
      { opcode: "SGD_WEIGHT", inputs: [0, 3], output: layout, attributes: { learningRateShift: 16 } },
      { opcode: "STORE", inputs: [4], output: layout, attributes: { space: 0, slot: 0 } },
      { opcode: "STORE", inputs: [3], output: layout, attributes: { space: 0, slot: 1 } },
    ],
  ];
}

/** A program of one weight and its momentum, whose gradient a tape makes. */
export function program(
  tape: TapeNode[],
  layout: Layout,
  witness: number,
  samples: number = microBatch,
): Program {
  const slot = (name: string, role: "weight" | "momentum", exponent: number) =>
    ({ name, role, layout, exponent, initializer: { kind: "zero" } }) as const;
  return {
    bits: 16,
    microBatch: samples,
    state: [slot("w", "weight", -28), slot("v", "momentum", -26)],
    gradients: [layout],
    tapes: [tape, ...rest(layout)],
    witness,
    target: 1,
    loss: "mean-squared-error",
  };
}

/** Bytes that look like nothing, the same every time. */
export function objectsOf(count: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, object) => {
    let x = 2 * object + 1;
    return Uint8Array.from({ length }, () => {
      x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
      return x >>> 24;
    });
  });
}

/**
 * Opcodes that no built-in model has, and a contraction of `width` products: MSE_GRAD, SHIFT, RELU and MATMUL of two
 * inputs of 16 bits. Two steps, one interval by default.
 */
export function oddJob(width: number, size = { microBatches: 2, steps: 2, interval: 2 }): Job {
  const x = vector("I16", [microBatch, width]);
  const input = (offset: number, exponent: number): TapeNode => ({
    opcode: "INPUT",
    inputs: [],
    output: x,
    attributes: { offset, encoding: 2, multiply: 1, add: 0, exponent, classes: 0 },
  });
  const gradient = vector("I32", [microBatch, width]);
  const tape: TapeNode[] = [
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
  return new Job(program(tape, gradient, 4), objectsOf(8, 4 * width), size);
}

/** A gradient that is the mean over micro-batches: by default over so many, in leaves of a kibibyte, that its sum is narrowed twice. */
export function wideJob(microBatches = 1_024, width = 256): Job {
  const layout = vector("I32", [microBatch, width]);
  const tape: TapeNode[] = [
    {
      opcode: "INPUT",
      inputs: [],
      output: layout,
      attributes: { offset: 0, encoding: 3, multiply: 1, add: 0, exponent: -26, classes: 0 },
    },
    { opcode: "STORE", inputs: [0], output: layout, attributes: { space: 1, slot: 0 } },
  ];
  const size = { microBatches, steps: 1, interval: 1 };
  return new Job(program(tape, layout, 0), objectsOf(2 * microBatches, 4 * width), size);
}

/**
 * Values of which two round to the same mantissa, and only the second needs the exponent: 65,534 and 65,535 are 16,384·2^2
 * both, but only the second is too large for 16 bits at 2^1.
 */
export function tiesJob(): Job {
  const layout = vector("I32", [microBatch, 2]);
  const tape: TapeNode[] = [
    {
      opcode: "INPUT",
      inputs: [],
      output: layout,
      attributes: { offset: 0, encoding: 3, multiply: 1, add: 0, exponent: -26, classes: 0 },
    },
    { opcode: "REQUANTIZE", inputs: [0], output: vector("I16", [microBatch, 2]), attributes: {} },
    { opcode: "STORE", inputs: [0], output: layout, attributes: { space: 1, slot: 0 } },
  ];
  const object = new Uint8Array(8);
  new DataView(object.buffer).setInt32(0, 65_534, true);
  new DataView(object.buffer).setInt32(4, 65_535, true);
  const size = { microBatches: 1, steps: 1, interval: 1 };
  return new Job(program(tape, layout, 1), [object, object, object, object], size);
}
