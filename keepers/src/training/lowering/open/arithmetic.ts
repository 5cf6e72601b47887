import {
  alignBits,
  biasMax,
  fixedExponents,
  guardBits,
  leastExponent,
  log2Exact,
  shiftLimit,
} from "../../../core/exact/format.ts";
import { flags, type Layout, type MantissaBits } from "../../../core/exact/tape/types.ts";
import { attribute, type GraphBuilder } from "../../onnx/builder.ts";
import type { Accumulators, Lowering, Value } from "./lowering.ts";

/**
 * The rules of `docs/exact-ops.md`, section 1, as ONNX operators. Mantissas are float64, which holds every integer
 * below 2^53 and multiplies by powers of two without loss; exponents are int64. A −0.0 may stand for 0 inside a graph:
 * no operator used here tells them apart, and outputs are cast to integers.
 */

const int32Max = 2 ** 31 - 1;

/** Thresholds of finish Q; 2·max|A| < 2^53 is below the last. */
const thresholdCount = 53;

export function double(builder: GraphBuilder, values: readonly number[], shape: readonly number[]): string {
  return builder.constant(Float64Array.from(values), shape, "float64");
}

export function scalar(builder: GraphBuilder, value: number): string {
  return double(builder, [value], []);
}

/** An int64 scalar. */
export function integer(builder: GraphBuilder, value: number): string {
  return builder.int64([value], []);
}

export function cast(builder: GraphBuilder, value: string, dtype: "float64" | "int64"): string {
  return builder.op("Cast", [value], { to: attribute.int(dtype === "float64" ? 11 : 7) });
}

export function reshape(builder: GraphBuilder, value: string, shape: readonly number[]): string {
  return builder.op("Reshape", [value, builder.int64(shape)]);
}

export function transpose(builder: GraphBuilder, value: string, axes: readonly number[]): string {
  return builder.op("Transpose", [value], { perm: attribute.ints(axes) });
}

/** Sum over one axis, which disappears. */
export function sumOver(builder: GraphBuilder, value: string, axis: number): string {
  return builder.op("ReduceSum", [value, builder.int64([axis])], { keepdims: attribute.int(0) });
}

/** Maximum over one axis, which disappears. */
export function maximumOver(builder: GraphBuilder, value: string, axis: number): string {
  return builder.op("ReduceMax", [value], { axes: attribute.ints([axis]), keepdims: attribute.int(0) });
}

/** Position of the first maximum along one axis, as float64. */
export function firstMaximumOver(builder: GraphBuilder, value: string, axis: number): string {
  const position = builder.op("ArgMax", [value], {
    axis: attribute.int(axis),
    keepdims: attribute.int(0),
    select_last_index: attribute.int(0),
  });
  return cast(builder, position, "float64");
}

/** Values clamped to ±limit. */
export function clampTo(builder: GraphBuilder, value: string, limit: number): string {
  return builder.op("Clip", [value, scalar(builder, -limit), scalar(builder, limit)]);
}

export function saturate(builder: GraphBuilder, value: string): string {
  return clampTo(builder, value, int32Max);
}

/** ⌊x + ½⌋, exact for |x| < 2^52; of an integer, itself. */
function roundHalfUp(builder: GraphBuilder, value: string): string {
  return builder.op("Floor", [builder.op("Add", [value, scalar(builder, 0.5)])]);
}

/** 2^−t for an int64 t of any shape, |t| clamped to the shift limit. */
function powerOfMinus(builder: GraphBuilder, t: string): string {
  const table = double(
    builder,
    Array.from({ length: 2 * shiftLimit + 1 }, (_, i) => 2 ** (shiftLimit - i)),
    [2 * shiftLimit + 1],
  );
  const clamped = builder.op("Clip", [t, integer(builder, -shiftLimit), integer(builder, shiftLimit)]);
  return builder.op("Gather", [table, builder.op("Add", [clamped, integer(builder, shiftLimit)])]);
}

/**
 * shift(A, t) for |A| < 2^52 and an int64 scalar t. Where A·2^−t is 2^52 or more the ½ may be lost or round it by one;
 * the caller saturates far below.
 */
export function shifted(builder: GraphBuilder, value: string, t: string): string {
  return roundHalfUp(builder, builder.op("Mul", [value, powerOfMinus(builder, t)]));
}

/** rnd(A, s) for a constant s and |A| < 2^52. */
export function rounded(builder: GraphBuilder, value: string, s: number): string {
  return s === 0 ? value : roundHalfUp(builder, builder.op("Mul", [value, scalar(builder, 2 ** -s)]));
}

/** Finish Q. */
export function requantized(
  builder: GraphBuilder,
  bits: MantissaBits,
  { mantissas, exponent }: Accumulators,
): Accumulators {
  const largest = builder.op("ReduceMax", [builder.op("Abs", [mantissas])], { keepdims: attribute.int(0) });
  const thresholds = double(
    builder,
    Array.from({ length: thresholdCount }, (_, s) => (2 ** bits - 1) * 2 ** s),
    [thresholdCount],
  );
  const reached = builder.op("GreaterOrEqual", [
    builder.op("Mul", [largest, scalar(builder, 2)]),
    thresholds,
  ]);
  const needed = sumOver(builder, cast(builder, reached, "int64"), 0);
  const s = builder.op("Max", [needed, builder.op("Sub", [integer(builder, leastExponent), exponent])]);
  return { mantissas: shifted(builder, mantissas, s), exponent: builder.op("Add", [exponent, s]) };
}

/** Finish F. */
export function fixed(
  builder: GraphBuilder,
  { mantissas, exponent }: Accumulators,
  target: number,
): Accumulators {
  const to = integer(builder, target);
  const moved = shifted(builder, mantissas, builder.op("Sub", [to, exponent]));
  return { mantissas: saturate(builder, moved), exponent: to };
}

/** Finish F to `target` when the flag says so, otherwise Q. */
export function finished(
  lowering: Lowering,
  accumulators: Accumulators,
  output: Layout,
  flagBits: number,
  target: number,
): Value {
  const { builder, bits } = lowering;
  const result =
    (flagBits & flags.fixed) !== 0
      ? fixed(builder, accumulators, target)
      : requantized(builder, bits, accumulators);
  return { ...result, layout: output };
}

/** The terms' mantissas at their common exponent. */
export function aligned(
  builder: GraphBuilder,
  terms: readonly Value[],
): { mantissas: string[]; exponent: string } {
  const exponents = terms.map(({ exponent }) => exponent);
  const high = builder.op("Max", exponents);
  const low = builder.op("Min", exponents);
  const exponent = builder.op("Max", [low, builder.op("Sub", [high, integer(builder, alignBits)])]);
  const mantissas = terms.map((term) =>
    shifted(builder, term.mantissas, builder.op("Sub", [exponent, term.exponent])),
  );
  return { mantissas, exponent };
}

/** Accumulators [..., O] with a bias [O] added. */
export function biased(lowering: Lowering, { mantissas, exponent }: Accumulators, bias: Value): Accumulators {
  const { builder, bits } = lowering;
  const t = builder.op("Sub", [exponent, integer(builder, fixedExponents.weight)]);
  const moved = clampTo(builder, shifted(builder, bias.mantissas, t), Number(biasMax(bits)));
  return { mantissas: builder.op("Add", [mantissas, moved]), exponent };
}

/** Accumulators where the gate is positive, elsewhere 0. */
export function gated(builder: GraphBuilder, mantissas: string, gate: Value): string {
  const open = builder.op("Greater", [gate.mantissas, scalar(builder, 0)]);
  return builder.op("Where", [open, mantissas, scalar(builder, 0)]);
}

/** ⌊a / b⌋ for b > 0 and |a| < 2^52, whatever the engine's division rounds: q·b ≤ a < (q + 1)·b is established. */
export function floorDivided(builder: GraphBuilder, a: string, b: string): string {
  const guess = builder.op("Floor", [builder.op("Div", [a, b])]);
  const rest = builder.op("Sub", [a, builder.op("Mul", [guess, b])]);
  const low = cast(builder, builder.op("GreaterOrEqual", [rest, b]), "float64");
  const high = cast(builder, builder.op("Less", [rest, scalar(builder, 0)]), "float64");
  return builder.op("Sub", [builder.op("Add", [guess, low]), high]);
}

/** Divide by a constant n. */
export function divided(
  builder: GraphBuilder,
  { mantissas, exponent }: Accumulators,
  n: number,
): Accumulators {
  const power = log2Exact(n);
  if (power !== undefined) return { mantissas, exponent: raised(builder, exponent, -power) };
  const doubled = builder.op("Mul", [mantissas, scalar(builder, 2 ** (guardBits + 1))]);
  const quotient = floorDivided(
    builder,
    builder.op("Add", [doubled, scalar(builder, n)]),
    scalar(builder, 2 * n),
  );
  return { mantissas: quotient, exponent: raised(builder, exponent, -guardBits) };
}

/** exponent + difference. */
export function raised(builder: GraphBuilder, exponent: string, difference: number): string {
  return difference === 0 ? exponent : builder.op("Add", [exponent, integer(builder, difference)]);
}
