import { evaluateNode } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { windowsAlong } from "../../../../keepers/src/core/exact/ops/window.ts";
import { flags, type Opcode, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { CaseGenerator } from "./cases.ts";
import { biasTensor, bTensor, layoutOf, mantissaDtype, operand, type Random } from "./cases-random.ts";

type Window =
  | "CONV"
  | "CONV_POOL_INDEX"
  | "CONV_INPUT_GRAD"
  | "CONV_WEIGHT_GRAD"
  | "MAX_POOL"
  | "MAX_POOL_INDEX"
  | "MAX_POOL_GRAD"
  | "AVERAGE_POOL"
  | "AVERAGE_POOL_GRAD";

/** Kernel, strides and pads over an image in which at least `least` windows fit each way. */
function geometry(random: Random, least: number) {
  for (;;) {
    const [kernelH, kernelW] = [random.int(1, 3), random.int(1, 3)];
    const strides = { strideH: random.int(1, 3), strideW: random.int(1, 3) };
    const pads = {
      padTop: random.int(0, kernelH - 1),
      padLeft: random.int(0, kernelW - 1),
      padBottom: random.int(0, kernelH - 1),
      padRight: random.int(0, kernelW - 1),
    };
    const [height, width] = [random.int(1, 6), random.int(1, 6)];
    const windowsH = windowsAlong(height, kernelH, strides.strideH, pads.padTop, pads.padBottom);
    const windowsW = windowsAlong(width, kernelW, strides.strideW, pads.padLeft, pads.padRight);
    if (windowsH < least || windowsW < least || windowsH > 6 || windowsW > 6) continue;
    return { kernelH, kernelW, height, width, windowsH, windowsW, window: { ...strides, ...pads } };
  }
}

/** A grouped convolution's channels: groups, channels in all, outputs in all. */
function channelsOf(random: Random): { groups: number; channels: number; outputs: number } {
  const groups = random.pick([1, 1, 1, 2, 3]);
  return { groups, channels: groups * random.int(1, 2), outputs: groups * random.int(1, 2) };
}

function convolution(opcode: "CONV" | "CONV_POOL_INDEX"): CaseGenerator {
  return (random, bits, microBatch) => {
    const pool = opcode === "CONV_POOL_INDEX" ? random.int(2, 3) : random.pick([1, 1, 2, 3]);
    const { kernelH, kernelW, height, width, windowsH, windowsW, window } = geometry(random, pool);
    const { groups, channels, outputs } = channelsOf(random);
    const x = operand(random, bits, [microBatch, height, width, channels]);
    const w = operand(random, bits, [outputs, kernelH, kernelW, channels / groups], 3);
    const bias = random.chance(50);
    const fixed = opcode === "CONV" && random.chance(25);
    const shape = [microBatch, Math.floor(windowsH / pool), Math.floor(windowsW / pool), outputs];
    return {
      node: {
        opcode,
        inputs: bias ? [0, 1, 2] : [0, 1],
        output: layoutOf(opcode === "CONV_POOL_INDEX" ? "U8" : fixed ? "I32" : mantissaDtype(bits), shape),
        attributes: {
          flags: (bias ? flags.bias : 0) | (random.chance(50) ? flags.relu : 0) | (fixed ? flags.fixed : 0),
          exponent: fixed ? random.pick([-26, x.exponent + w.exponent + random.int(-64, 64)]) : 0,
          ...window,
          groups,
          pool,
        },
      },
      inputs: [x, w, ...(bias ? [biasTensor(random, outputs)] : [])],
    };
  };
}

const convInputGrad: CaseGenerator = (random, bits, microBatch) => {
  const { kernelH, kernelW, height, width, windowsH, windowsW, window } = geometry(random, 1);
  const { groups, channels, outputs } = channelsOf(random);
  const gate = random.chance(50);
  const shape = [microBatch, height, width, channels];
  return {
    node: {
      opcode: "CONV_INPUT_GRAD",
      inputs: gate ? [0, 1, 2] : [0, 1],
      output: layoutOf(mantissaDtype(bits), shape),
      attributes: { flags: gate ? flags.gate : 0, exponent: 0, ...window, groups },
    },
    inputs: [
      operand(random, bits, [microBatch, windowsH, windowsW, outputs]),
      operand(random, bits, [channels, kernelH, kernelW, outputs / groups], 3),
      ...(gate ? [bTensor(random, bits, shape)] : []),
    ],
  };
};

const convWeightGrad: CaseGenerator = (random, bits, microBatch) => {
  const { kernelH, kernelW, height, width, windowsH, windowsW, window } = geometry(random, 1);
  const { groups, channels, outputs } = channelsOf(random);
  const x = operand(random, bits, [channels, microBatch, height, width]);
  const d = operand(random, bits, [outputs, microBatch, windowsH, windowsW]);
  const near = x.exponent + d.exponent + random.int(-64, 64);
  return {
    node: {
      opcode: "CONV_WEIGHT_GRAD",
      inputs: [0, 1],
      output: layoutOf("I32", [outputs, kernelH, kernelW, channels / groups], 3),
      attributes: { exponent: random.pick([-26, near]), ...window, groups },
    },
    inputs: [x, d],
  };
};

function pool(opcode: "MAX_POOL" | "MAX_POOL_INDEX" | "AVERAGE_POOL"): CaseGenerator {
  return (random, bits, microBatch) => {
    const { kernelH, kernelW, height, width, windowsH, windowsW, window } = geometry(random, 1);
    const channels = random.int(1, 3);
    const dtype = opcode === "MAX_POOL_INDEX" ? "U8" : mantissaDtype(bits);
    return {
      node: {
        opcode,
        inputs: [0],
        output: layoutOf(dtype, [microBatch, windowsH, windowsW, channels]),
        attributes: { kernelH, kernelW, ...window },
      },
      inputs: [bTensor(random, bits, [microBatch, height, width, channels])],
    };
  };
}

/** Indices as MAX_POOL_INDEX gives them, or any byte: what names no pixel goes nowhere. */
function indices(random: Random, made: ReturnType<CaseGenerator>, microBatch: number): Tensor {
  const { node, inputs } = made;
  if (random.chance(75)) return evaluateNode({ bits: 8, microBatch }, node, inputs);
  const index = evaluateNode({ bits: 8, microBatch }, node, inputs);
  return { ...index, mantissas: index.mantissas.map(() => random.pick([0, 1, 2, 8, 255])) };
}

const maxPoolGrad: CaseGenerator = (random, bits, microBatch) => {
  const made = pool("MAX_POOL_INDEX")(random, bits, microBatch);
  const index = indices(random, made, microBatch);
  const gate = random.chance(50);
  const { shape } = made.inputs[0]!.layout;
  if (made.node.opcode !== "MAX_POOL_INDEX") throw new TypeError(made.node.opcode);
  return {
    node: {
      opcode: "MAX_POOL_GRAD",
      inputs: gate ? [0, 1, 2] : [0, 1],
      output: layoutOf(mantissaDtype(bits), shape),
      attributes: { flags: gate ? flags.gate : 0, ...made.node.attributes },
    },
    inputs: [
      bTensor(random, bits, index.layout.shape),
      index,
      ...(gate ? [bTensor(random, bits, shape)] : []),
    ],
  };
};

const averagePoolGrad: CaseGenerator = (random, bits, microBatch) => {
  const { kernelH, kernelW, height, width, windowsH, windowsW, window } = geometry(random, 1);
  const channels = random.int(1, 3);
  const gate = random.chance(50);
  const shape = [microBatch, height, width, channels];
  return {
    node: {
      opcode: "AVERAGE_POOL_GRAD",
      inputs: gate ? [0, 1] : [0],
      output: layoutOf(mantissaDtype(bits), shape),
      attributes: { flags: gate ? flags.gate : 0, kernelH, kernelW, ...window },
    },
    inputs: [
      bTensor(random, bits, [microBatch, windowsH, windowsW, channels]),
      ...(gate ? [bTensor(random, bits, shape)] : []),
    ],
  };
};

/** Cases of convolutions and pools. */
export const windowCases: { readonly [O in Extract<Opcode, Window>]: CaseGenerator } = {
  CONV: convolution("CONV"),
  CONV_POOL_INDEX: convolution("CONV_POOL_INDEX"),
  CONV_INPUT_GRAD: convInputGrad,
  CONV_WEIGHT_GRAD: convWeightGrad,
  MAX_POOL: pool("MAX_POOL"),
  MAX_POOL_INDEX: pool("MAX_POOL_INDEX"),
  MAX_POOL_GRAD: maxPoolGrad,
  AVERAGE_POOL: pool("AVERAGE_POOL"),
  AVERAGE_POOL_GRAD: averagePoolGrad,
};
