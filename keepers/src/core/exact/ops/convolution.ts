import { biasAt } from "../format.ts";
import { flags, type Layout, type TapeNode } from "../tape/types.ts";
import { finishOf, gated, maximum, sumTerms } from "./arithmetic.ts";
import {
  exact,
  type Operation,
  type OperationContext,
  type PartialSums,
  type TensorReader,
} from "./types.ts";
import { coordinates, indexOf, shape4 } from "./window.ts";

type Convolution = TapeNode<"CONV"> | TapeNode<"CONV_POOL_INDEX">;

function kernelElements(weights: Layout): number {
  const [, kernelH, kernelW, channels] = shape4(weights);
  return kernelH * kernelW * channels;
}

/** Σ x·w over the terms (kh·KW + kw)·C/g + c of the pixel that `candidate` names in the block of `index`. */
function partial(
  _context: OperationContext,
  node: Convolution,
  inputs: readonly TensorReader[],
  index: number,
  candidate: number,
  from: number,
  to: number,
): bigint {
  const { strideH, strideW, padTop, padLeft, groups, pool } = node.attributes;
  const [x, w] = [inputs[0]!, inputs[1]!];
  const [shapeX, shapeW] = [shape4(x.layout), shape4(w.layout)];
  const [, height, width] = shapeX;
  const [outputs, , kernelW, channels] = shapeW;
  const [n, blockY, blockX, o] = coordinates(shape4(node.output), index);
  const top = (blockY * pool + Math.floor(candidate / pool)) * strideH - padTop;
  const left = (blockX * pool + (candidate % pool)) * strideW - padLeft;
  const firstChannel = Math.floor(o / (outputs / groups)) * channels;
  const kernel = o * kernelElements(w.layout);
  return sumTerms(from, to, (k) => {
    const tap = Math.floor(k / channels);
    const row = top + Math.floor(tap / kernelW);
    const column = left + (tap % kernelW);
    if (row < 0 || row >= height || column < 0 || column >= width) return 0;
    return x.at(indexOf(shapeX, n, row, column, firstChannel + (k % channels))) * w.at(kernel + k);
  });
}

const sums: PartialSums<"CONV" | "CONV_POOL_INDEX"> = {
  terms: (_context, _node, [, w]) => kernelElements(w!),
  partial,
};

/** Accumulators of the pixels of one block, in row-major order, before relu. */
function block(
  context: OperationContext,
  node: Convolution,
  inputs: readonly TensorReader[],
  index: number,
): { values: bigint[]; exponent: number } {
  const w = inputs[1]!;
  const bias = node.attributes.flags & flags.bias ? inputs[2] : undefined;
  const exponent = inputs[0]!.exponent + w.exponent;
  const output = index % shape4(node.output)[3];
  const offset = bias === undefined ? 0n : biasAt(BigInt(bias.at(output)), exponent, context.bits);
  const terms = kernelElements(w.layout);
  const values = Array.from(
    { length: node.attributes.pool ** 2 },
    (_, candidate) => partial(context, node, inputs, index, candidate, 0, terms) + offset,
  );
  return { values, exponent };
}

/** Convolution of [N, H, W, C] with [O, KH, KW, C/g]; of each pool × pool block the maximum. */
export const conv: Operation<"CONV"> = {
  sums,
  element(context, node, inputs, index) {
    const { values, exponent } = block(context, node, inputs, index);
    return { accumulator: gated(values.reduce(maximum), node.attributes.flags, undefined, index), exponent };
  },
  finish: (node) => finishOf(node.attributes),
};

/** Where in its block the maximum stands, the first one in row-major order. */
export const convPoolIndex: Operation<"CONV_POOL_INDEX"> = {
  sums,
  element(context, node, inputs, index) {
    const { values } = block(context, node, inputs, index);
    return { accumulator: BigInt(values.indexOf(values.reduce(maximum))), exponent: 0 };
  },
  finish: () => exact,
};
