import type { MantissaBits, Program } from "../../../core/exact/tape/types.ts";
import type { Carrier, Emitter, Value } from "./emitter.ts";
import { CarrierBoundError } from "./errors.ts";
import type { SlotValues } from "./slots.ts";
import { type BatchTensor, identity, inverse, type Range, sameOrder } from "./tensors.ts";
import type { Columns } from "./windows.ts";

/** Sums of integers are exact below this, in every order. */
export const carrierLimits: Readonly<Record<Carrier, number>> = { float32: 2 ** 24, float64: 2 ** 52 };

/** What the rules of one micro-batch share. */
export type Context = {
  readonly program: Program;
  readonly bits: MantissaBits;
  readonly batch: number;
  /** Type that carries mantissas and, where the bound allows, sums. */
  readonly carrier: Carrier;
  readonly e: Emitter;
  readonly slots: SlotValues;
  /** Patches gathered so far: backward uses those of forward. */
  readonly columns: Columns[];
};

/** Largest mantissa of the profile. */
export function mantissaLimit(bits: MantissaBits): number {
  return 2 ** (bits - 1) - 1;
}

export function mantissaRange(bits: MantissaBits, positive = false): Range {
  const max = mantissaLimit(bits);
  return { min: positive ? 0 : -max, max };
}

/** Largest magnitude of a bias at the exponent of a sum. */
export function biasLimit(bits: MantissaBits): number {
  return bits === 8 ? 2 ** 20 : 2 ** 40;
}

/** The cheapest carrier in which sums of this magnitude are exact. */
export function carrierFor(ctx: Context, what: string, magnitude: number): Carrier {
  if (magnitude < carrierLimits[ctx.carrier]) return ctx.carrier;
  if (magnitude < carrierLimits.float64) return "float64";
  throw new CarrierBoundError(what, magnitude, carrierLimits.float64);
}

/** The tensor's features in the order wanted (position → feature), one row each; 0 where −1 is wanted. */
export function rowsInOrder(ctx: Context, x: Pick<BatchTensor, "value" | "map">, wanted: Int32Array): Value {
  return gatherRows(
    ctx,
    x.value,
    wanted.map((feature) => (feature < 0 ? -1 : x.map[feature]!)),
  );
}

/** Rows of a matrix by index; −1 is a row of zeros. */
export function gatherRows(ctx: Context, value: Value, rows: Int32Array): Value {
  const count = value.shape[0]!;
  if (sameOrder(rows, identity(count))) return value;
  const absent = rows.includes(-1);
  const table = absent
    ? ctx.e.concat([value, ctx.e.filled(0, value.type as Carrier, [1, value.shape[1]!])], 0)
    : value;
  return ctx.e.gather(table, ctx.e.indices(rows.map((row) => (row < 0 ? count : row))));
}

/** A tensor whose rows are its features in order. */
export function plainBatch(
  value: Value,
  inner: number,
  rest: Pick<BatchTensor, "range" | "exponent">,
): BatchTensor {
  return { kind: "batch", value, map: identity(value.shape[0]!), inner, ...rest };
}

/** Whether every row holds exactly one feature. */
export function isPermutation(x: Pick<BatchTensor, "map" | "value">): boolean {
  return (
    x.map.length === x.value.shape[0] &&
    x.map.every((row) => row >= 0) &&
    inverse(x.map).every((feature) => feature >= 0)
  );
}
