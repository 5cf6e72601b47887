/** Convolutions, their gradients and pools of random layouts, strides, pads and groups, with operands of their own. */
import type {
  Layout,
  MantissaBits,
  Opcode,
  TapeNode,
  Tensor,
} from "../../../../keepers/src/core/exact/tape/types.ts";
import { ComputedStep } from "../../../../keepers/src/training/dispute/computed-step.ts";
import { layoutOf, mantissaDtype, type Random } from "../../../keepers/core/exact/cases-random.ts";

/** A node by itself: its operands are made up, nothing computed them. */
export type RandomNode = {
  readonly bits: MantissaBits;
  readonly layouts: readonly Layout[];
  readonly node: TapeNode;
};

/** Elements of the largest operand. */
const mostElements = 300_000;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

/** Images whose rows share leaves, fill some, or are far longer than one. */
function imageSize(random: Random): { samples: number; height: number; width: number } {
  const samples = random.pick([1, 2, 16, 64, 300]);
  const [height, width] = random.pick([
    [random.int(1, 7), random.int(1, 40)],
    [random.int(1, 3), random.pick([600, 1_500, 3_000, 4_096])],
    [random.int(16, 64), random.int(16, 64)],
  ] as const);
  return { samples, height, width };
}

/** Strides along rows that step over leaves, and others. */
function strideIn(random: Random, size: number): number {
  if (size > 500) return random.pick([1, 2, 3, 500, 513, 700, 1_025, 1_300]);
  return random.pick([1, 1, 2, 3, 8, 16]);
}

function windows(size: number, pads: number, kernel: number, stride: number): number {
  return Math.floor((size + pads - kernel) / stride) + 1;
}

function convolution(random: Random, opcode: Opcode): RandomNode {
  const bits = random.pick([8, 16] as const);
  const operand = () => random.pick(["I8", "I16"] as const);
  const { samples, height, width } = imageSize(random);
  const groups = random.pick([1, 1, 2]);
  // Channels of a weight gradient are images of their own, those of the others make sums longer.
  const many = opcode === "CONV_WEIGHT_GRAD" ? [1, 1, 2] : [1, 3, 40, 300];
  const [c, o] = [random.pick(many), random.pick(many)];
  const [channels, outputs] = [groups * c, groups * o];
  const kernel = [Math.min(random.int(1, 8), height), Math.min(random.int(1, 8), width)] as const;
  const [strideH, strideW] = [strideIn(random, height), strideIn(random, width)];
  const [padTop, padLeft, padBottom, padRight] = Array.from({ length: 4 }, () => random.int(0, 3)) as [
    number,
    number,
    number,
    number,
  ];
  const steps = { strideH, strideW, padTop, padLeft, padBottom, padRight, groups };
  const rows = windows(height, padTop + padBottom, kernel[0], strideH);
  const columns = windows(width, padLeft + padRight, kernel[1], strideW);
  const yields = mantissaDtype(bits);
  const inputs = [0, 1];
  switch (opcode) {
    case "CONV_WEIGHT_GRAD":
      return {
        bits,
        layouts: [
          layoutOf(operand(), [channels, samples, height, width]),
          layoutOf(operand(), [outputs, samples, rows, columns]),
        ],
        node: {
          ...{ opcode, inputs, output: layoutOf("I32", [outputs, ...kernel, c], 3) },
          attributes: { exponent: -26, ...steps },
        },
      };
    case "CONV_INPUT_GRAD":
      return {
        bits,
        layouts: [
          layoutOf(operand(), [samples, rows, columns, outputs]),
          layoutOf(operand(), [channels, ...kernel, o], 3),
        ],
        node: {
          ...{ opcode, inputs, output: layoutOf(yields, [samples, height, width, channels]) },
          attributes: { flags: 0, exponent: 0, ...steps },
        },
      };
    default: {
      const pool = Math.min(random.pick([1, 1, 2, 3]), rows, columns);
      return {
        bits,
        layouts: [
          layoutOf(operand(), [samples, height, width, channels]),
          layoutOf(operand(), [outputs, ...kernel, c], 3),
        ],
        node: {
          opcode: opcode === "CONV_POOL_INDEX" && pool > 1 ? opcode : "CONV",
          inputs,
          output: layoutOf(opcode === "CONV_POOL_INDEX" && pool > 1 ? "U8" : yields, [
            samples,
            Math.floor(rows / pool),
            Math.floor(columns / pool),
            outputs,
          ]),
          attributes: { flags: 0, exponent: 0, ...steps, pool },
        },
      };
    }
  }
}

function pool(random: Random, opcode: Opcode): RandomNode {
  const bits = random.pick([8, 16] as const);
  const dtype = mantissaDtype(bits);
  const { samples, height, width } = imageSize(random);
  const channels = random.pick([1, 3, 40]);
  const kernelH = Math.min(random.int(1, 4), height);
  const kernelW = Math.min(random.pick([1, 2, 3, 60]), width);
  const [strideH, strideW] = [strideIn(random, height), strideIn(random, width)];
  // Every window holds a pixel.
  const pads = [kernelH, kernelW, kernelH, kernelW].map((kernel) => random.int(0, kernel - 1));
  const [padTop, padLeft, padBottom, padRight] = pads as [number, number, number, number];
  const attributes = { kernelH, kernelW, strideH, strideW, padTop, padLeft, padBottom, padRight };
  const image = layoutOf(dtype, [samples, height, width, channels]);
  const pooled = [
    samples,
    windows(height, padTop + padBottom, kernelH, strideH),
    windows(width, padLeft + padRight, kernelW, strideW),
    channels,
  ];
  if (opcode !== "MAX_POOL_GRAD" && opcode !== "AVERAGE_POOL_GRAD") {
    const output = layoutOf(opcode === "MAX_POOL_INDEX" ? "U8" : dtype, pooled);
    return { bits, layouts: [image], node: { opcode, inputs: [0], output, attributes } as TapeNode };
  }
  const gate = random.int(0, 1);
  const layouts = [
    layoutOf(dtype, pooled),
    ...(opcode === "MAX_POOL_GRAD" ? [layoutOf("U8", pooled)] : []),
    ...(gate === 1 ? [image] : []),
  ];
  const inputs = layouts.map((_, i) => i);
  const node = { opcode, inputs, output: image, attributes: { flags: 2 * gate, ...attributes } } as TapeNode;
  return { bits, layouts, node };
}

/** A node of an opcode that moves a window over images. */
export function randomNode(random: Random, opcode: Opcode): RandomNode {
  for (;;) {
    const made = (opcode.startsWith("CONV") ? convolution : pool)(random, opcode);
    const shapes = [made.node.output, ...made.layouts].map(({ shape }) => shape);
    if (
      shapes.every((shape) => product(shape) >= 1 && Math.min(...shape) >= 1) &&
      sum(shapes.map(product)) <= mostElements
    )
      return made;
  }
}

/** A step that has the node's operands and then the node, whose own tensor nobody looks at. */
export function stepOf({ bits, layouts, node }: RandomNode, operands: readonly Tensor[]): ComputedStep {
  const raw = { offset: 0, encoding: 0, multiply: 1, add: 0, exponent: 0, classes: 0 };
  const inputs = layouts.map(
    (output): TapeNode => ({ opcode: "INPUT", inputs: [], output, attributes: raw }),
  );
  return new ComputedStep({
    program: {
      ...{ bits, microBatch: 1, state: [], gradients: [], witness: 0, target: 0 },
      loss: "mean-squared-error",
      tapes: [[...inputs, node], [], []],
    },
    order: {
      ...{ bits, microBatch: 1, microBatches: 1, steps: 1, interval: 1, train: 1 },
      ...{ objects: 1, objectBytes: 1, seed: "0x", programRoot: "0x", initialRoot: "0x", objectRoot: "0x" },
      schedule: { table: [1], every: 1 },
    },
    step: 0,
    tensors: [...operands, { layout: node.output, exponent: 0, mantissas: new Int32Array(0) }],
  });
}
