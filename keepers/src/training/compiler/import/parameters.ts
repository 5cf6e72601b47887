import { elementCount } from "../../onnx/types.ts";
import type { ElementOrder, Shape } from "../graph.ts";

/** A parameter of the model as a node reads it, perhaps transposed on the way. */
export type ParameterSource = {
  /** Name of the initialiser or graph input that holds it. */
  readonly root: string;
  readonly rootShape: Shape;
  /** Shape that the node sees. */
  readonly shape: Shape;
  /** Element i that the node sees is element elementOrder(order)[i] of the root. */
  readonly order: ElementOrder;
  readonly values: Float32Array | undefined;
};

/** The elements in their own order. */
export function identityOrder(shape: Shape): ElementOrder {
  return { elements: elementCount(shape) };
}

/** `order` seen in row-major order as `shape`, with its axes permuted: output axis i is axis axes[i]. */
export function permuteOrder(order: ElementOrder, shape: Shape, axes: readonly number[]): ElementOrder {
  return { elements: order.elements, permuted: { order, shape, axes } };
}
