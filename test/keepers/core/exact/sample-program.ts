import type { Layout, Program, TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";

const layout = (dtype: Layout["dtype"], shape: number[], rowAxes = 1): Layout => ({ dtype, shape, rowAxes });
const load = (slot: number, output: Layout, space = 0): TapeNode => ({
  opcode: "LOAD",
  inputs: [],
  output,
  attributes: { space, slot },
});

const weight = layout("I32", [3, 20]);
const bias = layout("I32", [3]);

const microBatch: TapeNode[] = [
  {
    opcode: "INPUT",
    inputs: [],
    output: layout("I16", [4, 20]),
    attributes: { offset: 1, encoding: 0, multiply: 2, add: -255, exponent: -8, classes: 0 },
  },
  {
    opcode: "INPUT",
    inputs: [],
    output: layout("U8", [4]),
    attributes: { offset: 0, encoding: 0, multiply: 1, add: 0, exponent: 0, classes: 3 },
  },
  load(0, weight),
  { opcode: "REQUANTIZE", inputs: [2], output: layout("I16", [3, 20]), attributes: {} },
  load(1, bias),
  {
    opcode: "MATMUL",
    inputs: [0, 3, 4],
    output: layout("I32", [4, 3]),
    attributes: { flags: 9, exponent: -16 },
  },
  { opcode: "ROW_MAX", inputs: [5], output: layout("I32", [4]), attributes: {} },
  { opcode: "EXP", inputs: [5, 6], output: layout("U32", [4, 3]), attributes: {} },
  {
    opcode: "ROW_SUM",
    inputs: [7],
    output: layout("I64", [4]),
    attributes: { flags: 0, exponent: 0 },
  },
  {
    opcode: "SOFTMAX_GRAD",
    inputs: [7, 8, 1],
    output: layout("I16", [4, 3]),
    attributes: { flags: 0, probabilityBits: 15 },
  },
  {
    opcode: "RELAYOUT",
    inputs: [9],
    output: layout("I16", [3, 4]),
    attributes: { view0: 1, view1: 1, view2: 4, view3: 3, axis0: 0, axis1: 1, axis2: 3, axis3: 2 },
  },
  {
    opcode: "RELAYOUT",
    inputs: [0],
    output: layout("I16", [20, 4]),
    attributes: { view0: 1, view1: 1, view2: 4, view3: 20, axis0: 0, axis1: 1, axis2: 3, axis3: 2 },
  },
  {
    opcode: "MATMUL",
    inputs: [10, 11],
    output: weight,
    attributes: { flags: 8, exponent: -26 },
  },
  { opcode: "STORE", inputs: [12], output: weight, attributes: { space: 1, slot: 0 } },
];

/** Softmax regression on four samples of 20 pixels and 3 classes, for what needs a program but does not run it. */
export const sampleProgram: Program = {
  bits: 16,
  microBatch: 4,
  state: [
    {
      name: "weight",
      role: "weight",
      layout: weight,
      exponent: -28,
      initializer: { kind: "uniform", fanIn: 20 },
    },
    {
      name: "bias",
      role: "weight",
      layout: bias,
      exponent: -28,
      initializer: { kind: "given", mantissas: Int32Array.of(2 ** 31 - 1, -(2 ** 31) + 1, -7) },
    },
    {
      name: "weight.momentum",
      role: "momentum",
      layout: weight,
      exponent: -26,
      initializer: { kind: "zero" },
    },
  ],
  gradients: [weight],
  tapes: [
    microBatch,
    [{ opcode: "ACCUMULATE", inputs: [], output: weight, attributes: { slot: 0 } }],
    [
      load(0, weight, 2),
      load(2, weight),
      load(0, weight),
      {
        opcode: "SGD_MOMENTUM",
        inputs: [0, 1, 2],
        output: weight,
        attributes: { momentum: 58982, momentumShift: 16, weightDecay: 0, weightDecayShift: 16 },
      },
      { opcode: "SGD_WEIGHT", inputs: [2, 3], output: weight, attributes: { learningRateShift: 16 } },
      { opcode: "STORE", inputs: [4], output: weight, attributes: { space: 0, slot: 0 } },
    ],
  ],
  witness: 5,
  target: 1,
  loss: "softmax-cross-entropy",
};
