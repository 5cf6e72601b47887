import type { Dtype, Layout, Tensor } from "../tape/types.ts";
import type { TensorReader } from "./types.ts";

/** Elements of a tensor. */
export function elementCount(layout: Layout): number {
  return layout.shape.reduce((product, size) => product * size, 1);
}

const arrays: { readonly [D in Dtype]: (length: number) => Tensor["mantissas"] } = {
  I8: (length) => new Int8Array(length),
  I16: (length) => new Int16Array(length),
  I32: (length) => new Int32Array(length),
  I64: (length) => new Float64Array(length),
  U8: (length) => new Uint8Array(length),
  U32: (length) => new Uint32Array(length),
};

/** Zeros of a dtype; I64 mantissas, all below 2^53, are float64 numbers. */
export function newMantissas(layout: Layout): Tensor["mantissas"] {
  return arrays[layout.dtype](elementCount(layout));
}

export function readerOf(tensor: Tensor): TensorReader {
  const { layout, exponent, mantissas } = tensor;
  return { layout, exponent, at: (index) => mantissas[index]! };
}
