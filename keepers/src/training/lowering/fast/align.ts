import { type Context, isPermutation, rowsInOrder } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { type BatchTensor, type FastTensor, identity, inverse, sameOrder } from "./tensors.ts";

/** Row → feature of a tensor, or the features in order where its rows are not one feature each. */
export function rowOrder(x: Pick<BatchTensor, "map" | "value">): Int32Array {
  return isPermutation(x) ? inverse(x.map) : identity(x.map.length);
}

/** Matrices of tensors of one shape with equal rows, in the order of the first one whose rows are one feature each. */
export function aligned(ctx: Context, tensors: readonly BatchTensor[]): { values: Value[]; map: Int32Array } {
  const lead = tensors.find(isPermutation) ?? tensors[0]!;
  if (tensors.some((x) => x.inner !== lead.inner || x.map.length !== lead.map.length))
    throw new NoFastRule("operands whose batch axes differ");
  const order = rowOrder(lead);
  return { values: tensors.map((x) => rowsInOrder(ctx, x, order)), map: inverse(order) };
}

/** 1 where a mantissa is positive, else 0. */
export function openings(ctx: Context, gate: BatchTensor, value: Value, type: Carrier): Value {
  const { e } = ctx;
  const one = e.numbers([1], value.type, []);
  const open =
    gate.range.min >= 0
      ? e.binary("Min", value, one)
      : e.op("Clip", [value, e.numbers([0], value.type, []), one], value.shape);
  return e.cast(open, type);
}

/** Feature of every row; undefined where rows do not hold one feature each. */
function featureOfRow({ map, value }: Pick<BatchTensor, "value" | "map">): Int32Array | undefined {
  const held = new Int32Array(value.shape[0]!).fill(-1);
  map.forEach((row, feature) => {
    if (row >= 0) held[row] = feature;
  });
  const once = map.reduce((count, row) => count + Number(row >= 0), 0) === held.length;
  return once && !held.includes(-1) ? held : undefined;
}

/** `x` where the gate is positive, else 0. */
export function gated<T extends Pick<BatchTensor, "value" | "map" | "inner">>(
  ctx: Context,
  x: T,
  gate: FastTensor | undefined,
): T {
  if (gate?.kind !== "batch" || gate.inner !== x.inner) throw new NoFastRule("a gate of another form");
  const own = featureOfRow(x);
  const order = own ?? rowOrder(gate);
  const value = own === undefined ? rowsInOrder(ctx, x, order) : x.value;
  const rows = sameOrder(gate.map, x.map) ? gate.value : rowsInOrder(ctx, gate, order);
  const open = openings(ctx, gate, rows, x.value.type as Carrier);
  return { ...x, value: ctx.e.mul(value, open), map: own === undefined ? inverse(order) : x.map };
}
