import type {
  Layout,
  MantissaBits,
  Program,
  Slot,
  TapeNode,
} from "../../../../keepers/src/core/exact/tape/types.ts";
import { layoutOf } from "./cases-random.ts";

const window = { strideH: 1, strideW: 1, padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 };

/** A node of another opcode than the type says, or with anything wrong in it. */
export type AnyNode = {
  opcode: string;
  inputs: number[];
  output: Layout;
  attributes: Record<string, number>;
};

function axes(view: number[], order: number[]): Record<string, number> {
  return Object.fromEntries([
    ...view.map((size, i) => [`view${i}`, size]),
    ...order.map((axis, i) => [`axis${i}`, axis]),
  ]);
}

/** Places of the nodes that tests change, in tape 0 of `validProgram`. */
export const places = {
  input: 0,
  labels: 1,
  loadKernel: 2,
  kernel: 3,
  conv: 4,
  convIndex: 5,
  relu: 6,
  average: 7,
  add: 8,
  flat: 9,
  loadWeights: 10,
  loadBias: 11,
  weights: 12,
  logits: 13,
  rowMax: 14,
  exp: 15,
  rowSum: 16,
  gradient: 17,
  gradientT: 18,
  flatT: 19,
  weightGrad: 20,
  storeWeights: 21,
  biasGrad: 22,
  storeBias: 23,
  weightsT: 24,
  flatGrad: 25,
  blockGrad: 26,
  gate: 27,
  poolGrad: 28,
  poolGradT: 29,
  inputT: 30,
  kernelGrad: 31,
  storeKernel: 32,
} as const;

/** A small network on images of 6 × 6: convolution with pool, residual sum, three classes, four samples. */
export function validProgram(bits: MantissaBits): Program {
  const B = bits === 8 ? "I8" : "I16";
  const kernel = layoutOf("I32", [2, 3, 3, 1], 3);
  const weights = layoutOf("I32", [3, 8]);
  const bias = layoutOf("I32", [3]);
  const block = layoutOf(B, [4, 2, 2, 2]);
  const pool = { kernelH: 1, kernelW: 1, ...window };
  const convolution = { flags: 4, exponent: 0, ...window, groups: 1, pool: 2 };
  const tape: AnyNode[] = [
    {
      opcode: "INPUT",
      inputs: [],
      output: layoutOf("I16", [4, 6, 6, 1]),
      attributes: { offset: 0, encoding: 0, multiply: 1, add: -33, exponent: -6, classes: 0 },
    },
    {
      opcode: "INPUT",
      inputs: [],
      output: layoutOf("U8", [4]),
      attributes: { offset: 36, encoding: 0, multiply: 1, add: 0, exponent: 0, classes: 3 },
    },
    { opcode: "LOAD", inputs: [], output: kernel, attributes: { space: 0, slot: 0 } },
    { opcode: "REQUANTIZE", inputs: [2], output: { ...kernel, dtype: B }, attributes: {} },
    { opcode: "CONV", inputs: [0, 3], output: block, attributes: convolution },
    { opcode: "CONV_POOL_INDEX", inputs: [0, 3], output: { ...block, dtype: "U8" }, attributes: convolution },
    { opcode: "RELU", inputs: [4], output: block, attributes: {} },
    { opcode: "AVERAGE_POOL", inputs: [6], output: block, attributes: pool },
    { opcode: "ADD", inputs: [6, 7], output: block, attributes: { flags: 0 } },
    {
      opcode: "RELAYOUT",
      inputs: [8],
      output: layoutOf(B, [4, 8]),
      attributes: axes([4, 2, 2, 2], [0, 1, 2, 3]),
    },
    { opcode: "LOAD", inputs: [], output: weights, attributes: { space: 0, slot: 1 } },
    { opcode: "LOAD", inputs: [], output: bias, attributes: { space: 0, slot: 2 } },
    { opcode: "REQUANTIZE", inputs: [10], output: { ...weights, dtype: B }, attributes: {} },
    {
      opcode: "MATMUL",
      inputs: [9, 12, 11],
      output: layoutOf("I32", [4, 3]),
      attributes: { flags: 9, exponent: -16 },
    },
    { opcode: "ROW_MAX", inputs: [13], output: layoutOf("I32", [4]), attributes: {} },
    { opcode: "EXP", inputs: [13, 14], output: layoutOf("U32", [4, 3]), attributes: {} },
    {
      opcode: "ROW_SUM",
      inputs: [15],
      output: layoutOf("I64", [4]),
      attributes: { flags: 0, exponent: 0 },
    },
    {
      opcode: "SOFTMAX_GRAD",
      inputs: [15, 16, 1],
      output: layoutOf(B, [4, 3]),
      attributes: { flags: bits === 8 ? 16 : 0, probabilityBits: 15 },
    },
    {
      opcode: "RELAYOUT",
      inputs: [17],
      output: layoutOf(B, [3, 4]),
      attributes: axes([1, 1, 4, 3], [0, 1, 3, 2]),
    },
    {
      opcode: "RELAYOUT",
      inputs: [9],
      output: layoutOf(B, [8, 4]),
      attributes: axes([1, 1, 4, 8], [0, 1, 3, 2]),
    },
    { opcode: "MATMUL", inputs: [18, 19], output: weights, attributes: { flags: 8, exponent: -26 } },
    { opcode: "STORE", inputs: [20], output: weights, attributes: { space: 1, slot: 1 } },
    { opcode: "ROW_SUM", inputs: [18], output: bias, attributes: { flags: 8, exponent: -26 } },
    { opcode: "STORE", inputs: [22], output: bias, attributes: { space: 1, slot: 2 } },
    {
      opcode: "RELAYOUT",
      inputs: [12],
      output: layoutOf(B, [8, 3]),
      attributes: axes([1, 1, 3, 8], [0, 1, 3, 2]),
    },
    {
      opcode: "MATMUL",
      inputs: [17, 24],
      output: layoutOf(B, [4, 8]),
      attributes: { flags: 0, exponent: 0 },
    },
    {
      opcode: "RELAYOUT",
      inputs: [25],
      output: block,
      attributes: axes([4, 2, 2, 2], [0, 1, 2, 3]),
    },
    { opcode: "GATE", inputs: [26, 4], output: block, attributes: {} },
    {
      opcode: "MAX_POOL_GRAD",
      inputs: [27, 5],
      output: layoutOf(B, [4, 4, 4, 2]),
      attributes: { flags: 0, ...window, kernelH: 2, kernelW: 2, strideH: 2, strideW: 2 },
    },
    {
      opcode: "RELAYOUT",
      inputs: [28],
      output: layoutOf(B, [2, 4, 4, 4]),
      attributes: axes([4, 4, 4, 2], [3, 0, 1, 2]),
    },
    {
      opcode: "RELAYOUT",
      inputs: [0],
      output: layoutOf("I16", [1, 4, 6, 6]),
      attributes: axes([4, 6, 6, 1], [3, 0, 1, 2]),
    },
    {
      opcode: "CONV_WEIGHT_GRAD",
      inputs: [30, 29],
      output: kernel,
      attributes: { exponent: -26, ...window, groups: 1 },
    },
    { opcode: "STORE", inputs: [31], output: kernel, attributes: { space: 1, slot: 0 } },
  ];
  const gradients = [kernel, weights, bias];
  const zero = { kind: "zero" } as const;
  const state: Slot[] = [
    ...gradients.map(
      (layout, i): Slot => ({
        name: `weight ${i}`,
        role: "weight",
        layout,
        exponent: -28,
        initializer: zero,
      }),
    ),
    ...gradients.map(
      (layout, i): Slot => ({
        name: `momentum ${i}`,
        role: "momentum",
        layout,
        exponent: -26,
        initializer: zero,
      }),
    ),
  ];
  return {
    bits,
    microBatch: 4,
    state,
    gradients,
    tapes: [tape as TapeNode[], reduction(gradients), optimizer(gradients)],
    witness: places.logits,
    target: places.labels,
    loss: "softmax-cross-entropy",
  };
}

function reduction(gradients: readonly Layout[]): TapeNode[] {
  return gradients.flatMap((output, slot): TapeNode[] => [
    { opcode: "ACCUMULATE", inputs: [], output, attributes: { slot } },
    { opcode: "STORE", inputs: [2 * slot], output, attributes: { space: 2, slot } },
  ]);
}

function optimizer(gradients: readonly Layout[]): TapeNode[] {
  return gradients.flatMap((output, slot): TapeNode[] => {
    const at = 7 * slot;
    const momentum = gradients.length + slot;
    const factors = { momentum: 58_982, momentumShift: 16, weightDecay: 33, weightDecayShift: 16 };
    return [
      { opcode: "LOAD", inputs: [], output, attributes: { space: 2, slot } },
      { opcode: "LOAD", inputs: [], output, attributes: { space: 0, slot: momentum } },
      { opcode: "LOAD", inputs: [], output, attributes: { space: 0, slot } },
      { opcode: "SGD_MOMENTUM", inputs: [at, at + 1, at + 2], output, attributes: factors },
      { opcode: "STORE", inputs: [at + 3], output, attributes: { space: 0, slot: momentum } },
      {
        opcode: "SGD_WEIGHT",
        inputs: [at + 2, at + 3],
        output,
        attributes: { learningRateShift: 16 },
      },
      { opcode: "STORE", inputs: [at + 5], output, attributes: { space: 0, slot } },
    ];
  });
}
