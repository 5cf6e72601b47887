import type { Layout, Tensor } from "../../../core/exact/tape/types.ts";

/** Mantissas as they leave a graph: those of an I64 as int64. */
export type BorderArray = Tensor["mantissas"] | BigInt64Array;

/** A tensor of the tape from a graph's output. Every int64 there is below 2^53 in magnitude. */
export function tensorFromBorder(layout: Layout, data: BorderArray, exponent: bigint): Tensor {
  const mantissas = data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
  return { layout, exponent: Number(exponent), mantissas };
}
