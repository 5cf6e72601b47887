import type { TapeNode } from "../../../core/exact/tape/types.ts";
import { reshape, transpose } from "./arithmetic.ts";
import { type Lowering, once, type Value } from "./lowering.ts";
import {
  gatherTaps,
  groupColumns,
  multiplyGroups,
  pixelsOfWindows,
  type Taps,
  type Windows,
  windowsOfPixels,
} from "./windows.ts";

/**
 * The sums of products of a contraction, before bias, pooling, gate, relu and finish: im2col by a constant index, then
 * MatMul, both exact in float64. Sizes along free axes are those of the operands, not of the node's output, so that
 * operands may also be combined along them.
 */

export type Shape4 = readonly [number, number, number, number];

const contractions = [
  "MATMUL",
  "CONV",
  "CONV_POOL_INDEX",
  "CONV_INPUT_GRAD",
  "CONV_WEIGHT_GRAD",
] as const satisfies readonly TapeNode["opcode"][];

/** A node that sums products of its first two inputs. */
export type Contraction = TapeNode<(typeof contractions)[number]>;

export function isContraction(node: TapeNode): node is Contraction {
  return (contractions as readonly string[]).includes(node.opcode);
}

/** Sums of products of two operands by a contraction's rule: float64, those of equal nodes made once. */
export function contracted(lowering: Lowering, node: Contraction, a: Value, b: Value): string {
  return once(lowering, contractionKey(node, a.mantissas, b.mantissas), () => {
    switch (node.opcode) {
      case "MATMUL":
        return lowering.builder.op("MatMul", [a.mantissas, transpose(lowering.builder, b.mantissas, [1, 0])]);
      case "CONV":
      case "CONV_POOL_INDEX":
        return convolved(lowering, node, a, b);
      case "CONV_INPUT_GRAD":
        return inputGradient(lowering, node, a, b);
      case "CONV_WEIGHT_GRAD":
        return weightGradient(lowering, node, a, b);
    }
  });
}

/** What tells the sums of one contraction from another's: a CONV and its CONV_POOL_INDEX have the same. */
export function contractionKey(node: Contraction, a: string | number, b: string | number): string {
  const kind = node.opcode === "CONV_POOL_INDEX" ? "CONV" : node.opcode;
  if (node.opcode === "MATMUL") return [kind, a, b].join(" ");
  const { strideH, strideW, padTop, padLeft, padBottom, padRight, groups } = node.attributes;
  const sizes = kind === "CONV" ? [] : node.output.shape;
  return [kind, a, b, strideH, strideW, padTop, padLeft, padBottom, padRight, groups, ...sizes].join(" ");
}

/** Sizes of the grid of windows of a convolution. */
export function convGrid(
  { attributes }: TapeNode<"CONV" | "CONV_POOL_INDEX">,
  image: readonly number[],
  weights: readonly number[],
): readonly [height: number, width: number] {
  const { strideH, strideW, padTop, padLeft, padBottom, padRight } = attributes;
  const [, height, width] = shape4(image);
  const [, kernelH, kernelW] = shape4(weights);
  return [
    Math.floor((height + padTop + padBottom - kernelH) / strideH) + 1,
    Math.floor((width + padLeft + padRight - kernelW) / strideW) + 1,
  ];
}

export function shape4(shape: readonly number[]): Shape4 {
  return shape as unknown as Shape4;
}

/** [N, OH, OW, O]. */
function convolved(
  lowering: Lowering,
  node: TapeNode<"CONV" | "CONV_POOL_INDEX">,
  x: Value,
  w: Value,
): string {
  const [n, height, width] = shape4(x.layout.shape);
  const [outputs, kernelH, kernelW] = shape4(w.layout.shape);
  const grid = convGrid(node, x.layout.shape, w.layout.shape);
  const windows: Windows = { image: [height, width], grid, kernel: [kernelH, kernelW], ...node.attributes };
  const product = windowProducts(lowering, x, w, pixelsOfWindows(windows), node.attributes.groups);
  return reshape(lowering.builder, product, [n, ...grid, outputs]);
}

/** [N, H, W, C]. */
function inputGradient(lowering: Lowering, node: TapeNode<"CONV_INPUT_GRAD">, d: Value, w: Value): string {
  const [, height, width] = shape4(node.output.shape);
  const [n, gridH, gridW] = shape4(d.layout.shape);
  const [channels, kernelH, kernelW] = shape4(w.layout.shape);
  const taps = windowsOfPixels({
    image: [height, width],
    grid: [gridH, gridW],
    kernel: [kernelH, kernelW],
    ...node.attributes,
  });
  const product = windowProducts(lowering, d, w, taps, node.attributes.groups);
  return reshape(lowering.builder, product, [n, height, width, channels]);
}

/** [O, KH, KW, C/g]. */
function weightGradient(lowering: Lowering, node: TapeNode<"CONV_WEIGHT_GRAD">, x: Value, d: Value): string {
  const { builder } = lowering;
  const [channels, n, height, width] = shape4(x.layout.shape);
  const [outputs, , gridH, gridW] = shape4(d.layout.shape);
  const [, kernelH, kernelW] = shape4(node.output.shape);
  const { groups } = node.attributes;
  const taps = pixelsOfWindows({
    image: [height, width],
    grid: [gridH, gridW],
    kernel: [kernelH, kernelW],
    ...node.attributes,
  });
  const images = transpose(builder, x.mantissas, [1, 2, 3, 0]);
  const columns = gatherTaps(builder, images, [n, height * width, channels], taps, 0);
  const matrices = groupColumns(builder, columns, [n, taps.places, taps.taps, channels], groups);
  const errors = reshape(builder, d.mantissas, [groups, outputs / groups, n * taps.places]);
  const product = builder.op("MatMul", [errors, matrices]);
  return reshape(builder, product, [outputs, kernelH, kernelW, channels / groups]);
}

/** Products of the values at `taps` with weights [O, …]: [N·places, O]. */
function windowProducts(
  lowering: Lowering,
  image: Value,
  weights: Value,
  taps: Taps,
  groups: number,
): string {
  const { builder } = lowering;
  const [n, height, width, channels] = shape4(image.layout.shape);
  const columns = gatherTaps(builder, image.mantissas, [n, height * width, channels], taps, 0);
  const matrices = groupColumns(builder, columns, [n, taps.places, taps.taps, channels], groups);
  return multiplyGroups(builder, matrices, n * taps.places, weights.mantissas, weights.layout.shape, groups);
}
