import { type Context, mantissaRange } from "./context.ts";
import type { Value } from "./emitter.ts";
import { type Exponent, lookup, plus, requantizeShift } from "./exponent.ts";
import type { Range } from "./tensors.ts";

/** Bits by which ADD aligns at most. */
const reach = 20;
/** The higher term is never raised further than this: 127·2^16 + 127 + ½ fits 24 bits. */
const raise = 16;

export type Term = { readonly value: Value; readonly exponent: Exponent; readonly range: Range };

/**
 * ADD of two terms of 8 bits in float32, and its requantisation; bits are those of the sum at the exponent e* of
 * `docs/exact-ops.md`, section 1, though that sum can need 28 bits.
 *
 * Let D be the difference of the exponents, D' = min(D, 20), r = D − D', a = rnd(low, r), so A = high·2^D' + a. Where D is
 * more than 16 and high is not 0 everywhere, s ≥ D' − 6, so |a| < 2^(s − 1): a decides nothing but on which side of a
 * multiple of 2^(s − 1) the sum lies, and no threshold 255·2^(s − 1) is a multiple of a mantissa. Hence D'' in the place of
 * D' gives the same mantissas with s − (D' − D'') in the place of s, as long as 2^(D'' − 7) > |a|: D'' = 16 − r. From r = 8
 * on a is 0. Where high is 0 everywhere the shift is 0 in both.
 *
 * The rounding of a is left to that of the sum: ⌊⌊X⌋·2^−s + ½⌋ = ⌊X·2^−s + ½⌋ for s > 0, with X = high·2^D'' + low·2^−r + ½;
 * X has at most 24 bits.
 */
export function addPair(
  ctx: Context,
  [first, second]: readonly [Term, Term],
  relu: boolean,
): { value: Value; exponent: Exponent; range: Range } {
  const { e, bits } = ctx;
  const base = Math.min(first.exponent.lo, second.exponent.lo);
  const [a, b] = [first, second].map(({ exponent }) => aboveBase(ctx, exponent, base));
  const most = Math.max(first.exponent.hi, second.exponent.hi) - base;
  const difference = {
    lo: -most,
    hi: most,
    above: e.add(e.sub(a!, b!), e.numbers([most], "int64")),
  };
  const scale = (sign: number) =>
    lookup(e, difference, "float32", (by) => {
      const apart = Math.abs(by);
      if (sign * by >= 0) return 2 ** raised(apart);
      return rounded(apart) < 8 ? 2 ** -rounded(apart) : 0;
    });
  const shifted = e.affine(first.value, scale(1), e.numbers([0.5], "float32"));
  const sum = e.add(shifted, e.mul(second.value, scale(-1)));
  const high = e.reduce("ReduceMax", sum, "all");
  const positive = relu || (first.range.min >= 0 && second.range.min >= 0);
  const largest = positive
    ? high
    : e.binary("Max", high, e.unary("Neg", e.unary("Floor", e.reduce("ReduceMin", sum, "all"))));
  const bound = 127 * 2 ** raise + 127;
  const lowest = e.binary("Min", a!, b!);
  const aligned = e.binary("Max", lowest, e.sub(e.binary("Max", a!, b!), e.numbers([reach], "int64")));
  const common: Exponent = { lo: base, hi: base + most, above: aligned };
  const { shift, after } = requantizeShift(e, largest, { bound, bits, factor: 1, exponent: common });
  const inverse = lookup(e, shift, "float32", (s) => 2 ** -s);
  const rounding = lookup(e, shift, "float32", (s) => (s > 0 ? 0.5 : 0));
  const floor = e.floorAffine(sum, inverse, rounding);
  const missing = lookup(
    e,
    difference,
    "int64",
    (by) => Math.min(Math.abs(by), reach) - raised(Math.abs(by)),
  );
  const moved = lookup(e, shift, "int64", (s) => Math.min(s, 1));
  const extra: Exponent = { lo: 0, hi: reach, above: e.mul(missing, moved) };
  return {
    value: relu ? e.unary("Relu", floor) : floor,
    exponent: most > raise ? plus(e, after, extra) : after,
    range: mantissaRange(bits, positive),
  };
}

/** r: bits by which the lower term is rounded. */
function rounded(apart: number): number {
  return Math.max(0, apart - reach);
}

/** D'': bits by which the higher term is raised. */
function raised(apart: number): number {
  return Math.min(apart, raise - Math.min(rounded(apart), 7));
}

/** The exponent above a base, int64. */
function aboveBase({ e }: Context, { lo, above }: Exponent, base: number): Value {
  const by = e.numbers([lo - base], "int64");
  if (above === undefined) return by;
  return lo === base ? above : e.add(above, by);
}
