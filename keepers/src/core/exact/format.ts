import type { MantissaBits } from "./tape/types.ts";

/**
 * Arithmetic of `docs/exact-ops.md`, section 1. The functions on `bigint` are the definition; those whose names
 * end in `Number` give the same results for integers below 2^52 in magnitude, at the speed of a float64.
 */

/** Exponents that are fixed: weights, momenta and gradients, logits before EXP. */
export const fixedExponents = { weight: -28, gradient: -26, logits: -16 } as const;

/** Every accumulator is below this in magnitude: the checker proves it. */
export const accumulatorLimit = 2n ** 52n;

/** Least exponent that requantising leaves. */
export const leastExponent = -512;

/** Largest difference of exponents that becomes a power of two. */
export const shiftLimit = 62;

/** Bits that `alignTerms` shifts a higher term to the left at most. */
export const alignBits = 20;

/** Extra bits before a division by an n that is no power of two. */
export const guardBits = 8;

const int32Max = 2 ** 31 - 1;
const int32MaxBig = BigInt(int32Max);

/** Largest mantissa of a profile: 2^(bits − 1) − 1. */
export function mantissaMax(bits: MantissaBits): number {
  return 2 ** (bits - 1) - 1;
}

/** Largest bias in units of the accumulator: 2^20 (E8) or 2^40 (E16). */
export function biasMax(bits: MantissaBits): bigint {
  return bits === 8 ? 2n ** 20n : 2n ** 40n;
}

/** `value` within ±limit. */
export function clamp(value: bigint, limit: bigint): bigint {
  if (value > limit) return limit;
  return value < -limit ? -limit : value;
}

/** `value` within ±(2^31 − 1). */
export function sat(value: bigint): bigint {
  return clamp(value, int32MaxBig);
}

export function satNumber(value: number): number {
  if (value > int32Max) return int32Max;
  return value < -int32Max ? -int32Max : value;
}

/** Division by 2^s, s ≥ 0, rounding half up. */
export function rnd(value: bigint, s: number): bigint {
  if (s === 0) return value;
  return (value + (1n << BigInt(s - 1))) >> BigInt(s);
}

/** `rnd` for |value| < 2^52. From s = 53 the result is 0, and the sum below would no longer be exact. */
export function rndNumber(value: number, s: number): number {
  if (s === 0) return value;
  if (s > 52) return 0;
  return Math.floor((value + 2 ** (s - 1)) / 2 ** s);
}

/** `value` at an exponent that is t higher; for negative t the caller saturates. */
export function shift(value: bigint, t: number): bigint {
  if (t >= 0) return rnd(value, Math.min(t, shiftLimit));
  return value << BigInt(Math.min(-t, shiftLimit));
}

/** Finish F: sat(shift(value, t)). */
export function saturatingShift(value: bigint, t: number): bigint {
  return sat(shift(value, t));
}

/** `saturatingShift` for |value| < 2^52: what a left shift makes too large is decided before anything is lost. */
export function saturatingShiftNumber(value: number, t: number): number {
  if (t >= 0) return satNumber(rndNumber(value, Math.min(t, shiftLimit)));
  return satNumber(value * 2 ** Math.min(-t, shiftLimit));
}

/**
 * Shift of finish Q: the smallest s ≥ max(0, −512 − exponent) with 2·maxAbs < (2^bits − 1)·2^s.
 *
 * @param maxAbs largest accumulator of the whole tensor, in magnitude
 * @param exponent that of the accumulators
 */
export function requantizeShift(maxAbs: bigint, exponent: number, bits: MantissaBits): number {
  let s = Math.max(0, leastExponent - exponent);
  const limit = (1n << BigInt(bits)) - 1n;
  while (2n * maxAbs >= limit << BigInt(s)) s++;
  return s;
}

/** `requantizeShift` for maxAbs < 2^52. */
export function requantizeShiftNumber(maxAbs: number, exponent: number, bits: MantissaBits): number {
  let s = Math.max(0, leastExponent - exponent);
  const limit = 2 ** bits - 1;
  // From s = 46 every maxAbs is inside; the products stay exact and finite up to there.
  while (s < 46 && 2 * maxAbs >= limit * 2 ** s) s++;
  return s;
}

/** Exponent at which terms with these exponents meet. */
export function alignedExponent(exponents: readonly number[]): number {
  const high = Math.max(...exponents);
  const low = Math.min(...exponents);
  return high - low > alignBits ? high - alignBits : low;
}

/** A B-bit mantissa at exponent `from`, moved to `to`, an exponent that `alignedExponent` gave. */
export function align(mantissa: bigint, from: number, to: number): bigint {
  if (from >= to) return mantissa << BigInt(from - to);
  return rnd(mantissa, Math.min(to - from, shiftLimit));
}

export function alignNumber(mantissa: number, from: number, to: number): number {
  if (from >= to) return mantissa * 2 ** (from - to);
  return rndNumber(mantissa, Math.min(to - from, shiftLimit));
}

/** A bias (int32 at the exponent of weights) in units of an accumulator at `exponent`. */
export function biasAt(bias: bigint, exponent: number, bits: MantissaBits): bigint {
  return clamp(shift(bias, exponent - fixedExponents.weight), biasMax(bits));
}

/** Whether n is a power of two, and which; undefined when it is none. `n` is a positive integer below 2^53. */
export function log2Exact(n: number): number | undefined {
  const j = Math.round(Math.log2(n));
  return 2 ** j === n ? j : undefined;
}

/** Exponent of `divide`'s results for terms at `exponent`. */
export function dividedExponent(exponent: number, n: number): number {
  return exponent - (log2Exact(n) ?? guardBits);
}

/** Division by the positive integer n: the mantissa of value / n at `dividedExponent`. */
export function divide(value: bigint, n: number): bigint {
  if (log2Exact(n) !== undefined) return value;
  const divisor = BigInt(n);
  return floorDivide(((2n * value) << BigInt(guardBits)) + divisor, 2n * divisor);
}

/** ⌊a / b⌋ for b > 0 (`bigint` division truncates). */
export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** ⌊√x⌋ of x ≥ 0, by Newton's iteration from above. */
export function integerSqrt(x: bigint): bigint {
  if (x < 2n) return x;
  let root = 1n << BigInt(Math.ceil(x.toString(2).length / 2));
  for (;;) {
    const next = (root + x / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** Bits of an integer n ≥ 1 above the first: ⌈log2 n⌉. */
export function ceilLog2(n: number): number {
  let bits = 0;
  while (2 ** bits < n) bits++;
  return bits;
}
