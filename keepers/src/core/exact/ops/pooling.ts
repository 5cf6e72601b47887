import { divide, dividedExponent } from "../format.ts";
import type { TapeNode } from "../tape/types.ts";
import { gated, optionalInputs, sumTerms } from "./arithmetic.ts";
import { exact, type Operation, type PartialSums, requantized, type TensorReader } from "./types.ts";
import { coordinates, indexOf, shape4, windowAt } from "./window.ts";

type Pool = "MAX_POOL" | "MAX_POOL_INDEX" | "AVERAGE_POOL";
type PoolGradient = "MAX_POOL_GRAD" | "AVERAGE_POOL_GRAD";

function area(attributes: { readonly kernelH: number; readonly kernelW: number }): number {
  return attributes.kernelH * attributes.kernelW;
}

/** Where pixel k = kh·KW + kw of the window of output `index` stands in x: −1 outside. */
function pixelsOf(node: TapeNode<Pool>, x: TensorReader, index: number): (k: number) => number {
  const { kernelW, strideH, strideW, padTop, padLeft } = node.attributes;
  const shapeX = shape4(x.layout);
  const [, height, width] = shapeX;
  const [n, windowY, windowX, c] = coordinates(shape4(node.output), index);
  return (k) => {
    const row = windowY * strideH + Math.floor(k / kernelW) - padTop;
    const column = windowX * strideW + (k % kernelW) - padLeft;
    if (row < 0 || row >= height || column < 0 || column >= width) return -1;
    return indexOf(shapeX, n, row, column, c);
  };
}

/** The first largest pixel of a window, row-major; a window of a valid tape holds at least one. */
function largest(node: TapeNode<Pool>, x: TensorReader, index: number): { position: number; value: number } {
  const pixel = pixelsOf(node, x, index);
  let best = { position: -1, value: Number.NEGATIVE_INFINITY };
  for (let k = 0; k < area(node.attributes); k++) {
    const at = pixel(k);
    if (at < 0) continue;
    const value = x.at(at);
    if (value > best.value) best = { position: k, value };
  }
  return best;
}

export const maxPool: Operation<"MAX_POOL"> = {
  element(_context, node, inputs, index) {
    const x = inputs[0]!;
    return { accumulator: BigInt(largest(node, x, index).value), exponent: x.exponent };
  },
  finish: () => exact,
};

/** kh·kW + kw of the first largest pixel. */
export const maxPoolIndex: Operation<"MAX_POOL_INDEX"> = {
  element(_context, node, inputs, index) {
    return { accumulator: BigInt(largest(node, inputs[0]!, index).position), exponent: 0 };
  },
  finish: () => exact,
};

/** Mean over the whole window, absent pixels counted as zeros. */
export const averagePool: Operation<"AVERAGE_POOL"> = {
  sums: {
    terms: (_context, node) => area(node.attributes),
    partial(_context, node, inputs, index, _candidate, from, to) {
      const x = inputs[0]!;
      const pixel = pixelsOf(node, x, index);
      return sumTerms(from, to, (k) => {
        const at = pixel(k);
        return at < 0 ? 0 : x.at(at);
      });
    },
  },
  element(context, node, inputs, index) {
    const pixels = area(node.attributes);
    const sum = this.sums!.partial(context, node, inputs, index, 0, 0, pixels);
    return {
      accumulator: divide(sum, pixels),
      exponent: dividedExponent(inputs[0]!.exponent, pixels),
    };
  },
  finish: () => requantized,
};

/**
 * Sums of d over the windows that cover a pixel, term k being the window in which it is pixel k = kh·KW + kw.
 *
 * @param routed whether only the windows count whose index (input 1) names the pixel
 */
function gradientSums(routed: boolean): PartialSums<PoolGradient> {
  return {
    terms: (_context, node) => area(node.attributes),
    partial(_context, node, inputs, index, _candidate, from, to) {
      const { kernelW, strideH, strideW, padTop, padLeft } = node.attributes;
      const d = inputs[0]!;
      const shapeD = shape4(d.layout);
      const [, windowsH, windowsW] = shapeD;
      const [n, y, x, c] = coordinates(shape4(node.output), index);
      return sumTerms(from, to, (k) => {
        const row = windowAt(y, Math.floor(k / kernelW), strideH, padTop, windowsH);
        const column = windowAt(x, k % kernelW, strideW, padLeft, windowsW);
        if (row < 0 || column < 0) return 0;
        const at = indexOf(shapeD, n, row, column, c);
        return routed && inputs[1]!.at(at) !== k ? 0 : d.at(at);
      });
    },
  };
}

/** Every d goes to the pixel that its window's index names. */
export const maxPoolGrad: Operation<"MAX_POOL_GRAD"> = {
  sums: gradientSums(true),
  element(context, node, inputs, index) {
    const { flags } = node.attributes;
    const { gate } = optionalInputs(flags, inputs, 2);
    const sum = this.sums!.partial(context, node, inputs, index, 0, 0, area(node.attributes));
    return { accumulator: gated(sum, flags, gate, index), exponent: inputs[0]!.exponent };
  },
  finish: () => requantized,
};

/** Every d goes to all pixels of its window, divided by their number. */
export const averagePoolGrad: Operation<"AVERAGE_POOL_GRAD"> = {
  sums: gradientSums(false),
  element(context, node, inputs, index) {
    const { flags } = node.attributes;
    const { gate } = optionalInputs(flags, inputs, 1);
    const pixels = area(node.attributes);
    const sum = this.sums!.partial(context, node, inputs, index, 0, 0, pixels);
    return {
      accumulator: gated(divide(sum, pixels), flags, gate, index),
      exponent: dividedExponent(inputs[0]!.exponent, pixels),
    };
  },
  finish: () => requantized,
};
