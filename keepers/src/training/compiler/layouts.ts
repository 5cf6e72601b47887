import type { Dtype, Layout, MantissaBits } from "../../core/exact/tape/types.ts";
import type { Shape } from "./graph.ts";

/** Element type of B-bit mantissas. */
export function mantissaDtype(bits: MantissaBits): "I8" | "I16" {
  return bits === 8 ? "I8" : "I16";
}

/** Layout of data: rows are the last two axes of images, the last axis of everything else. */
export function dataLayout(dtype: Dtype, shape: Shape): Layout {
  return { dtype, shape, rowAxes: shape.length === 4 ? 2 : 1 };
}

/** Layout of a parameter: a row holds what one output is computed from. */
export function parameterLayout(dtype: Dtype, shape: Shape): Layout {
  return { dtype, shape, rowAxes: shape.length === 4 ? 3 : 1 };
}
