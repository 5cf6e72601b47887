import type { Layout } from "../../../core/exact/tape/types.ts";
import type { Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import type { Exponent } from "./exponent.ts";
import type { PooledWindows } from "./windows.ts";

/** Proved limits of a tensor's mantissas. */
export type Range = { readonly min: number; readonly max: number };

/**
 * A tensor of the tape with one number for each sample: a matrix [rows, N], a row is one feature of the whole batch.
 * The features in the tape's order (row-major, the batch axis left out) lie in the rows `map`; −1 is a feature that is 0.
 * A relayout changes `map` and costs nothing.
 */
export type BatchTensor = {
  readonly kind: "batch";
  readonly value: Value;
  readonly map: Int32Array;
  /** Features after the batch axis. */
  readonly inner: number;
  readonly range: Range;
  readonly exponent: Exponent;
  /** Set when this is a gradient put back in the places of maxima: the windows it came through. */
  readonly unpooled?: { readonly windows: PooledWindows; readonly pooled: BatchTensor };
};

/** A slot of the state, seen in an order: logical element → element of the slot in its canonical order. */
export type SlotTensor = {
  readonly kind: "slot";
  readonly slot: number;
  readonly quantized: boolean;
  readonly order: Int32Array;
};

/**
 * A gradient of a slot: float64 at the exponent of gradients, not yet saturated, and not yet rounded unless `rounded`.
 * Position → logical element.
 */
export type GradientTensor = {
  readonly kind: "gradient";
  readonly value: Value;
  readonly order: Int32Array;
  readonly rounded: boolean;
};

/** Positions of maxima, known only by the windows. */
export type IndexTensor = { readonly kind: "index"; readonly windows: PooledWindows };

export type FastTensor = BatchTensor | SlotTensor | GradientTensor | IndexTensor;

export function identity(size: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => i);
}

export function sameOrder(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

export function inverse(order: Int32Array): Int32Array {
  const result = new Int32Array(order.length).fill(-1);
  order.forEach((to, from) => {
    result[to] = from;
  });
  return result;
}

export function largest({ min, max }: Range): number {
  return Math.max(Math.abs(min), Math.abs(max));
}

/** Source index of every element of a row-major array of shape `view` after its axes are permuted. */
export function permuted(view: readonly number[], axes: readonly number[]): Int32Array {
  const strides = view.map((_, axis) => view.slice(axis + 1).reduce((a, b) => a * b, 1));
  let sources = Int32Array.of(0);
  for (const axis of axes) {
    const [size, stride] = [view[axis]!, strides[axis]!];
    const next = new Int32Array(sources.length * size);
    for (let i = 0; i < sources.length; i++) {
      for (let j = 0; j < size; j++) next[i * size + j] = sources[i]! + j * stride;
    }
    sources = next;
  }
  return sources;
}

/** A batch tensor seen as `view`, axes permuted. */
export function relayoutBatch(
  x: BatchTensor,
  batch: number,
  view: readonly number[],
  axes: readonly number[],
): BatchTensor {
  const after = (order: readonly number[], axis: number) =>
    order.slice(order.indexOf(axis) + 1).reduce((product, a) => product * view[a]!, 1);
  const natural = [0, 1, 2, 3];
  const axis = natural.find((a) => view[a] === batch && after(natural, a) === x.inner);
  if (axis === undefined) throw new NoFastRule("a relayout that joins the batch with another axis");
  const features = view.map((size, a) => (a === axis ? 1 : size));
  const sources = permuted(features, axes);
  return { ...x, map: sources.map((source) => x.map[source]!), inner: after(axes, axis) };
}

/** The batch view of a layout whose first axis is the batch. */
export function featuresOf(layout: Layout): number {
  return layout.shape.slice(1).reduce((a, b) => a * b, 1);
}
