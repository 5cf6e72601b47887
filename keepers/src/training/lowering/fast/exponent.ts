import type { Carrier, Emitter, Value } from "./emitter.ts";

/**
 * An exponent e = lo + above. `above` is an int64 vector of one element, never negative and at most hi − lo; absent when
 * the exponent is a constant. lo and hi are proved when the graph is built, so a table over [lo, hi] answers every question
 * about an exponent with one Gather, clamping included: no exponent is ever a floating-point number.
 */
export type Exponent = { readonly lo: number; readonly hi: number; readonly above?: Value };

/** Exponents that a requantisation never goes below. */
const lowest = -512;

export function constantExponent(e: number): Exponent {
  return { lo: e, hi: e };
}

export function plus(e: Emitter, a: Exponent, b: Exponent): Exponent {
  const above = a.above === undefined ? b.above : b.above === undefined ? a.above : e.add(a.above, b.above);
  return { lo: a.lo + b.lo, hi: a.hi + b.hi, above };
}

export function offset(a: Exponent, by: number): Exponent {
  return { ...a, lo: a.lo + by, hi: a.hi + by };
}

/** f(e) for every exponent that can occur, as a vector of one element. */
export function lookup(
  e: Emitter,
  exponent: Exponent,
  type: Carrier | "int64",
  f: (e: number) => number,
): Value {
  const table = Array.from({ length: exponent.hi - exponent.lo + 1 }, (_, i) => f(exponent.lo + i));
  if (exponent.above === undefined || table.every((v) => v === table[0])) return e.numbers([table[0]!], type);
  return e.gather(e.numbers(table, type), exponent.above);
}

/** 2^−clamp62(to − e): the factor that brings a sum at exponent e to the exponent `to`. */
export function scaleTo(e: Emitter, exponent: Exponent, to: number, type: Carrier): Value {
  return lookup(e, exponent, type, (from) => 2 ** -Math.min(Math.max(to - from, -62), 62));
}

/** Smallest s ≥ 0 with 2·magnitude < (2^bits − 1)·2^s. */
export function shiftFor(magnitude: number, bits: number): number {
  let s = 0;
  while (2 * magnitude >= (2 ** bits - 1) * 2 ** s) s++;
  return s;
}

/** Smallest magnitudes of 1, 2, … shifts, times `factor`: there are as many at or below `max` as shifts are needed. */
export function shiftThresholds(bits: number, shifts: number, factor: number): number[] {
  return Array.from({ length: shifts }, (_, k) => factor * Math.ceil((2 ** (bits - 1) - 0.5) * 2 ** k));
}

/**
 * The shift s of a requantisation, from the largest magnitude (times `factor`), and the exponent after it.
 * @param bound proved limit of the magnitude
 */
export function requantizeShift(
  e: Emitter,
  largest: Value,
  { bound, bits, factor, exponent }: { bound: number; bits: number; factor: number; exponent: Exponent },
): { shift: Exponent; after: Exponent } {
  const most = shiftFor(bound, bits);
  const reached = e.binary(
    "GreaterOrEqual",
    largest,
    e.numbers(shiftThresholds(bits, most, factor), largest.type),
    "bool",
  );
  const counted = e.reduce("ReduceSum", e.cast(reached, "int64"), [0], true);
  return shiftedBy(e, { lo: 0, hi: most, above: counted }, exponent);
}

/** Raises a shift to the one that keeps the result's exponent at −512 or above, where that can matter at all. */
export function shiftedBy(
  e: Emitter,
  shift: Exponent,
  exponent: Exponent,
): { shift: Exponent; after: Exponent } {
  if (exponent.lo >= lowest) return { shift, after: plus(e, exponent, shift) };
  const forced = lookup(e, exponent, "int64", (from) => Math.max(0, lowest - from));
  const above = shift.above === undefined ? forced : e.binary("Max", shift.above, forced);
  const raised = { lo: 0, hi: Math.max(shift.hi, lowest - exponent.lo), above };
  const sum = plus(e, exponent, raised);
  return {
    shift: raised,
    after: {
      lo: lowest,
      hi: Math.max(exponent.hi + shift.hi, lowest),
      above: e.add(sum.above!, e.numbers([sum.lo - lowest], "int64")),
    },
  };
}
