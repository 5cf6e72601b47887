import type { ElementOrder, Shape } from "./graph.ts";

/** Place of every element of an order: one number per element of the parameter. */
export function elementOrder(order: ElementOrder): Int32Array {
  const steps: NonNullable<ElementOrder["permuted"]>[] = [];
  for (let at = order.permuted; at !== undefined; at = at.order.permuted) steps.push(at);
  const own = new Int32Array(order.elements);
  for (let i = 0; i < own.length; i++) own[i] = i;
  return steps.reduceRight<Int32Array>((places, { shape, axes }) => permuted(places, shape, axes), own);
}

function permuted(places: Int32Array, shape: Shape, axes: readonly number[]): Int32Array {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const sizes = axes.map((axis) => shape[axis]!);
  const steps = axes.map((axis) => strides[axis]!);
  const result = new Int32Array(places.length);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = places[from]!;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
