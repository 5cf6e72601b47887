import { type Context, mantissaLimit, mantissaRange } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { type Exponent, lookup, requantizeShift, scaleTo, shiftedBy } from "./exponent.ts";
import type { Range } from "./tensors.ts";

/** Bits of a carrier's integers: shifts at or above this plus one leave nothing of a sum. */
const integerBits: Readonly<Record<Carrier, number>> = { float32: 24, float64: 52 };

export type Sums = {
  /** A·factor, plus a code below factor where `coded`. */
  readonly value: Value;
  readonly exponent: Exponent;
  /** Proved limit of |A|. */
  readonly bound: number;
  /** A power of two. */
  readonly factor?: number;
  readonly coded?: boolean;
  /** max(A, 0) is requantised. */
  readonly relu?: boolean;
  /** No A is negative. */
  readonly positive?: boolean;
};

/**
 * Finish Q of `docs/exact-ops.md`, section 1. ⌊A·2^−s + ½⌋ is exact in the carrier: A + 2^(s−1) leaves its integers only
 * where the sum is at least 2^(bits − s) and less than ½ above it, which rounding cannot carry to the next integer.
 */
export function requantize(ctx: Context, sums: Sums): { value: Value; exponent: Exponent; range: Range } {
  const { e, bits, carrier } = ctx;
  const { value, exponent, bound, factor = 1, coded = false, relu = false, positive = false } = sums;
  const type = value.type as Carrier;
  if (bound <= mantissaLimit(bits) && exponent.lo >= -512 && factor === 1) {
    const mantissas = e.cast(relu && !positive ? e.unary("Relu", value) : value, carrier);
    return { value: mantissas, exponent, range: { min: relu || positive ? 0 : -bound, max: bound } };
  }
  const oneSided = relu || positive;
  const largest = oneSided ? e.reduce("ReduceMax", value, "all") : largestMagnitude(ctx, value);
  const { shift, after } =
    bound <= mantissaLimit(bits)
      ? shiftedBy(e, { lo: 0, hi: 0 }, exponent)
      : requantizeShift(e, largest, { bound, bits, factor, exponent });
  const spare = integerBits[type] + 1 - Math.log2(factor);
  const scale = lookup(e, shift, type, (s) => (s >= spare ? 0 : 2 ** -s / factor));
  const half = coded ? lookup(e, shift, type, (s) => (s > 0 ? 0.5 : 0)) : e.numbers([0.5], type);
  const floor = e.floorAffine(value, scale, half);
  const rounded = relu && !positive ? e.unary("Relu", e.cast(floor, carrier)) : e.cast(floor, carrier);
  return { value: rounded, exponent: after, range: mantissaRange(bits, oneSided) };
}

/** max|A| as a vector of one element. */
export function largestMagnitude({ e }: Context, value: Value): Value {
  const low = e.unary("Neg", e.reduce("ReduceMin", value, "all"));
  return e.binary("Max", e.reduce("ReduceMax", value, "all"), low);
}

/** Finish F: float64 integers at the exponent `to`, saturated to 32 bits. */
export function fix(ctx: Context, value: Value, exponent: Exponent, to: number): Value {
  const { e } = ctx;
  const scale = scaleTo(e, exponent, to, "float64");
  return e.clamp(e.floorAffine(e.cast(value, "float64"), scale, e.numbers([0.5], "float64")), 2 ** 31 - 1);
}
