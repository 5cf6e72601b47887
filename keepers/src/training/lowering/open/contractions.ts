import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import {
  biased,
  finished,
  firstMaximumOver,
  fixed,
  gated,
  maximumOver,
  reshape,
  transpose,
} from "./arithmetic.ts";
import { type Accumulators, type Lowering, once, type Value } from "./lowering.ts";
import {
  gatherTaps,
  groupColumns,
  multiplyGroups,
  pixelsOfWindows,
  type Taps,
  type Windows,
  windowsOfPixels,
} from "./windows.ts";

/** Matrix products and convolutions: im2col by a constant index, then MatMul, both exact in float64. */

type Shape4 = readonly [number, number, number, number];

type ConvNode = TapeNode<"CONV" | "CONV_POOL_INDEX">;

export function lowerMatmul(lowering: Lowering, node: TapeNode<"MATMUL">, inputs: readonly Value[]): Value {
  const { builder } = lowering;
  const [a, b, ...optional] = inputs as [Value, Value, ...Value[]];
  const product = builder.op("MatMul", [a.mantissas, transpose(builder, b.mantissas, [1, 0])]);
  const sums = { mantissas: product, exponent: sumOfExponents(lowering, a, b) };
  return completed(lowering, node, sums, optional);
}

export function lowerConv(lowering: Lowering, node: TapeNode<"CONV">, inputs: readonly Value[]): Value {
  const sums = convolved(lowering, node, inputs);
  const mantissas =
    node.attributes.pool === 1
      ? sums.mantissas
      : maximumOver(lowering.builder, blocks(lowering, node, inputs, sums.mantissas), 3);
  return completed(lowering, node, { ...sums, mantissas }, inputs.slice(2));
}

/** The bias of a channel is the same for a whole block and moves no maximum; so it is left out. */
export function lowerConvPoolIndex(
  lowering: Lowering,
  node: TapeNode<"CONV_POOL_INDEX">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const { mantissas } = convolved(lowering, node, inputs);
  const index = firstMaximumOver(builder, blocks(lowering, node, inputs, mantissas), 3);
  return { mantissas: index, exponent: builder.int64([0], []), layout: node.output };
}

export function lowerConvInputGrad(
  lowering: Lowering,
  node: TapeNode<"CONV_INPUT_GRAD">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [d, w, ...optional] = inputs as [Value, Value, ...Value[]];
  const [n, height, width] = shape4(node.output.shape);
  const [, gridH, gridW] = shape4(d.layout.shape);
  const [, kernelH, kernelW] = shape4(w.layout.shape);
  const taps = windowsOfPixels({
    image: [height, width],
    grid: [gridH, gridW],
    kernel: [kernelH, kernelW],
    ...node.attributes,
  });
  const product = windowProducts(lowering, d, w, taps, n, node.attributes.groups);
  const sums = {
    mantissas: reshape(builder, product, node.output.shape),
    exponent: sumOfExponents(lowering, d, w),
  };
  return completed(lowering, node, sums, optional);
}

export function lowerConvWeightGrad(
  lowering: Lowering,
  node: TapeNode<"CONV_WEIGHT_GRAD">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [x, d] = inputs as [Value, Value];
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
  const sums = {
    mantissas: reshape(builder, product, node.output.shape),
    exponent: sumOfExponents(lowering, x, d),
  };
  return { ...fixed(builder, sums, node.attributes.exponent), layout: node.output };
}

/** Bias, gate and relu as the flags say, then the finish. Optional inputs stand in this order. */
function completed(
  lowering: Lowering,
  node: TapeNode<"MATMUL" | "CONV" | "CONV_INPUT_GRAD">,
  sums: Accumulators,
  optional: readonly Value[],
): Value {
  const { builder } = lowering;
  const { flags: flagBits, exponent: target } = node.attributes;
  const rest = [...optional];
  let accumulators = sums;
  if ((flagBits & flags.bias) !== 0) accumulators = biased(lowering, accumulators, rest.shift()!);
  if ((flagBits & flags.gate) !== 0) {
    const mantissas = gated(builder, accumulators.mantissas, rest.shift()!);
    accumulators = { ...accumulators, mantissas };
  }
  if ((flagBits & flags.relu) !== 0) {
    accumulators = { ...accumulators, mantissas: builder.op("Relu", [accumulators.mantissas]) };
  }
  return finished(lowering, accumulators, node.output, flagBits, target);
}

/** Σ of products over the windows, [N, OH, OW, O], before pooling: once for CONV and its CONV_POOL_INDEX. */
function convolved(lowering: Lowering, node: ConvNode, inputs: readonly Value[]): Accumulators {
  const { builder } = lowering;
  const [x, w] = inputs as [Value, Value];
  const windows = convWindows(node, inputs);
  const { strideH, strideW, padTop, padLeft, padBottom, padRight, groups } = node.attributes;
  const geometry = [strideH, strideW, padTop, padLeft, padBottom, padRight, groups];
  const key = ["conv", x.mantissas, w.mantissas, ...geometry].join(" ");
  const mantissas = once(lowering, key, () => {
    const product = windowProducts(
      lowering,
      x,
      w,
      pixelsOfWindows(windows),
      x.layout.shape[0]!,
      node.attributes.groups,
    );
    return reshape(builder, product, [x.layout.shape[0]!, ...windows.grid, w.layout.shape[0]!]);
  });
  return { mantissas, exponent: sumOfExponents(lowering, x, w) };
}

function convWindows(node: ConvNode, inputs: readonly Value[]): Windows {
  const [x, w] = inputs as [Value, Value];
  const [, height, width] = shape4(x.layout.shape);
  const [, kernelH, kernelW] = shape4(w.layout.shape);
  const { strideH, strideW, padTop, padLeft, padBottom, padRight } = node.attributes;
  const grid = [
    Math.floor((height + padTop + padBottom - kernelH) / strideH) + 1,
    Math.floor((width + padLeft + padRight - kernelW) / strideW) + 1,
  ] as const;
  return { image: [height, width], grid, kernel: [kernelH, kernelW], strideH, strideW, padTop, padLeft };
}

/** [N, OH, OW, O] as pooling blocks [N, ⌊OH/k⌋, ⌊OW/k⌋, k², O], each block in row-major order. */
function blocks(lowering: Lowering, node: ConvNode, inputs: readonly Value[], sums: string): string {
  const { builder } = lowering;
  const { pool } = node.attributes;
  const [gridH, gridW] = convWindows(node, inputs).grid;
  const [n, pooledH, pooledW, outputs] = shape4(node.output.shape);
  return once(lowering, `blocks ${sums} ${pool}`, () => {
    let whole = sums;
    if (pooledH * pool !== gridH || pooledW * pool !== gridW) {
      const starts = builder.int64([0, 0]);
      const ends = builder.int64([pooledH * pool, pooledW * pool]);
      whole = builder.op("Slice", [sums, starts, ends, builder.int64([1, 2])]);
    }
    const split = reshape(builder, whole, [n * pooledH, pool, pooledW, pool, outputs]);
    const grouped = transpose(builder, split, [0, 2, 1, 3, 4]);
    return reshape(builder, grouped, [n, pooledH, pooledW, pool * pool, outputs]);
  });
}

/** Products of the values at `taps` with weights [O, …]: [N·places, O]. */
function windowProducts(
  lowering: Lowering,
  image: Value,
  weights: Value,
  taps: Taps,
  n: number,
  groups: number,
): string {
  const { builder } = lowering;
  const [, height, width, channels] = shape4(image.layout.shape);
  const columns = gatherTaps(builder, image.mantissas, [n, height * width, channels], taps, 0);
  const matrices = groupColumns(builder, columns, [n, taps.places, taps.taps, channels], groups);
  return multiplyGroups(builder, matrices, n * taps.places, weights.mantissas, weights.layout.shape, groups);
}

function sumOfExponents({ builder }: Lowering, a: Value, b: Value): string {
  return builder.op("Add", [a.exponent, b.exponent]);
}

export function shape4(shape: readonly number[]): Shape4 {
  return shape as unknown as Shape4;
}
