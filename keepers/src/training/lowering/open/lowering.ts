import type { Layout, MantissaBits } from "../../../core/exact/tape/types.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";

/** A tensor of the tape inside a graph: float64 mantissas in the layout's shape and an int64 scalar exponent. */
export type Value = { readonly mantissas: string; readonly exponent: string; readonly layout: Layout };

/** Accumulators before a finish rule: float64 of the output's shape at an int64 scalar exponent. */
export type Accumulators = { readonly mantissas: string; readonly exponent: string };

/** What the nodes of one graph read besides their inputs. Graph inputs are declared when first asked for. */
export type Lowering = {
  readonly builder: GraphBuilder;
  readonly bits: MantissaBits;
  readonly microBatch: number;
  /** Micro-batches of one step (M), a power of two. */
  readonly microBatches: number;
  /** uint8 [N, objectBytes]. */
  objects(): string;
  /** The slot's tensor. */
  load(space: number, slot: number): Value;
  /** float64: the gradient slot's mantissas, summed over all micro-batches of the step. */
  gradientSum(slot: number): string;
  /** float64 scalar: LR of the step. */
  learningRate(): string;
  /** Values that several nodes compute alike, by a key of their operands. */
  readonly shared: Map<string, string>;
};

/** The value under `key`, made once. */
export function once(lowering: Lowering, key: string, make: () => string): string {
  const known = lowering.shared.get(key);
  if (known !== undefined) return known;
  const value = make();
  lowering.shared.set(key, value);
  return value;
}
