import { elementCount } from "../../onnx/types.ts";
import type { Shape } from "../graph.ts";

/** A parameter of the model as a node reads it, perhaps transposed on the way. */
export type ParameterSource = {
  /** Name of the initialiser or graph input that holds it. */
  readonly root: string;
  readonly rootShape: Shape;
  /** Shape that the node sees. */
  readonly shape: Shape;
  /** Element i that the node sees is element order[i] of the root. */
  readonly order: Int32Array;
  readonly values: Float32Array | undefined;
};

/** The elements in their own order. */
export function identityOrder(shape: Shape): Int32Array {
  return Int32Array.from({ length: elementCount(shape) }, (_, i) => i);
}

/** `order` seen in row-major order as `shape`, with its axes permuted: output axis i is axis axes[i]. */
export function permuteOrder(order: Int32Array, shape: Shape, axes: readonly number[]): Int32Array {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const sizes = axes.map((axis) => shape[axis]!);
  const steps = axes.map((axis) => strides[axis]!);
  const result = new Int32Array(order.length);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = order[from]!;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
