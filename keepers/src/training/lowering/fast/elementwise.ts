import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { addPair } from "./add-pair.ts";
import { aligned, openings } from "./align.ts";
import { type Context, carrierFor, rowsInOrder } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { type Exponent, lookup, scaleTo } from "./exponent.ts";
import { imageCover } from "./pooling.ts";
import { fix, requantize } from "./requantize.ts";
import {
  type BatchTensor,
  type FastTensor,
  type GradientTensor,
  identity,
  largest,
  sameOrder,
} from "./tensors.ts";

const int32Limit = 2 ** 31 - 1;

function batches(tensors: readonly FastTensor[]): BatchTensor[] {
  return tensors.map((tensor) => {
    if (tensor.kind !== "batch")
      throw new NoFastRule("an element-wise operation on something else than the batch");
    return tensor;
  });
}

/** Terms at a common exponent: the lowest of all, or 20 below the highest. */
export function align(
  ctx: Context,
  terms: readonly { value: Value; exponent: Exponent; range: BatchTensor["range"] }[],
): { values: Value[]; bound: number; exponent: Exponent } {
  const { e } = ctx;
  const reach = 20;
  const base = Math.min(...terms.map(({ exponent }) => exponent.lo));
  const top = Math.max(...terms.map(({ exponent }) => exponent.hi));
  const above = terms.map(({ exponent }) => {
    const by = e.numbers([exponent.lo - base], "int64");
    if (exponent.above === undefined) return by;
    return exponent.lo === base ? exponent.above : e.add(exponent.above, by);
  });
  const low = e.op("Min", above, [1]);
  const high = e.op("Max", above, [1]);
  const common = e.binary("Max", low, e.sub(high, e.numbers([reach], "int64")));
  const values = terms.map(({ value }, i) => {
    const difference = e.add(e.sub(above[i]!, common), e.numbers([top - base], "int64"));
    const distance = { lo: base - top, hi: Math.max(reach, top - base), above: difference };
    const scale = lookup(e, distance, "float64", (by) => 2 ** Math.max(Math.min(by, reach), -62));
    return e.floorAffine(e.cast(value, "float64"), scale, e.numbers([0.5], "float64"));
  });
  const bound = terms.reduce((sum, { range }) => sum + largest(range) * 2 ** reach, 0);
  return { values, bound, exponent: { lo: base, hi: top, above: common } };
}

/** ADD. */
export function add(ctx: Context, node: TapeNode<"ADD">, inputs: readonly FastTensor[]): BatchTensor {
  const { e } = ctx;
  const tensors = batches(inputs);
  const rows = aligned(ctx, tensors);
  const terms = tensors.map(({ exponent, range }, i) => ({ value: rows.values[i]!, exponent, range }));
  const relu = (node.attributes.flags & flags.relu) !== 0;
  const [first, second] = terms;
  const narrow = ctx.carrier === "float32" && terms.every(({ exponent }) => exponent.lo >= -512);
  if (narrow && terms.length === 2)
    return {
      kind: "batch",
      map: rows.map,
      inner: tensors[0]!.inner,
      ...addPair(ctx, [first!, second!], relu),
    };
  const { values, bound, exponent } = align(ctx, terms);
  carrierFor(ctx, "ADD", bound);
  const value = e.op("Sum", values, values[0]!.shape);
  const positive = tensors.every(({ range }) => range.min >= 0);
  const sums = requantize(ctx, { value, bound, exponent, relu, positive });
  return { kind: "batch", map: rows.map, inner: tensors[0]!.inner, ...sums };
}

/** RELU. */
export function relu(ctx: Context, inputs: readonly FastTensor[]): BatchTensor {
  const [x] = batches(inputs);
  const { unpooled: _, ...rest } = x!;
  return { ...rest, value: ctx.e.unary("Relu", x!.value), range: { min: 0, max: Math.max(0, x!.range.max) } };
}

/** GATE. */
export function gate(ctx: Context, inputs: readonly FastTensor[]): BatchTensor {
  const [d, h] = batches(inputs);
  // The gate's rows lead: a gradient that was spread has several features in one row.
  const { values, map } = aligned(ctx, [h!, d!]);
  const value = ctx.e.mul(values[1]!, openings(ctx, h!, values[0]!, values[1]!.type as Carrier));
  return { kind: "batch", value, map, inner: d!.inner, range: d!.range, exponent: d!.exponent };
}

/** REQUANTIZE of a batch tensor. */
export function requantizeBatch(ctx: Context, inputs: readonly FastTensor[]): BatchTensor {
  const [x] = batches(inputs);
  const { value, exponent, range } = x!;
  const sums = { value, exponent, bound: largest(range), positive: range.min >= 0 };
  return { kind: "batch", map: x!.map, inner: x!.inner, ...requantize(ctx, sums) };
}

/** SHIFT. */
export function shift(ctx: Context, node: TapeNode<"SHIFT">, inputs: readonly FastTensor[]): BatchTensor {
  const [x] = batches(inputs);
  const to = node.attributes.exponent;
  return {
    kind: "batch",
    map: x!.map,
    inner: x!.inner,
    value: fix(ctx, x!.value, x!.exponent, to),
    range: { min: -int32Limit, max: int32Limit },
    exponent: { lo: to, hi: to },
  };
}

/** ROW_SUM: over the batch (a bias gradient), or over the features of each sample. */
export function rowSum(ctx: Context, node: TapeNode<"ROW_SUM">, inputs: readonly FastTensor[]): FastTensor {
  const [x] = batches(inputs);
  const fixed = (node.attributes.flags & flags.fixed) !== 0;
  const rows = node.output.shape[0]!;
  const per = x!.map.length / rows;
  if (Number.isInteger(per) && x!.inner === per && fixed)
    return sumOverBatch(ctx, x!, rows, node.attributes.exponent);
  const tokens = rows / ctx.batch;
  const features = x!.map.length / tokens;
  if (fixed || x!.inner !== x!.map.length || !Number.isInteger(features))
    throw new NoFastRule("a row sum of another form");
  const bound = features * largest(x!.range);
  const { e, batch } = ctx;
  const carrier = carrierFor(ctx, `ROW_SUM over ${features} terms`, bound);
  const matrix = e.reshape(e.cast(rowsInOrder(ctx, x!, identity(x!.map.length)), carrier), [
    tokens,
    features,
    batch,
  ]);
  return {
    kind: "batch",
    value: e.reduce("ReduceSum", matrix, [1]),
    map: identity(tokens),
    inner: tokens,
    range: { min: Math.min(0, features * x!.range.min), max: features * x!.range.max },
    exponent: x!.exponent,
  };
}

function sumOverBatch(ctx: Context, given: BatchTensor, rows: number, to: number): GradientTensor {
  const { e, batch } = ctx;
  const { value, map } = withoutZeros(given, rows);
  const per = map.length / rows;
  const bound = per * batch * largest(given.range);
  const carrier = carrierFor(ctx, "ROW_SUM over the batch", bound);
  const row = Int32Array.from(map, (_, feature) => Math.floor(feature / per));
  const lead = rowBlocks(map, row, value.shape[0]!, rows);
  const matrix =
    lead === undefined
      ? e.reshape(rowsInOrder(ctx, { value, map }, identity(map.length)), [1, rows, per * batch])
      : e.reshape(value, [lead, rows, (value.shape[0]! / lead / rows) * batch]);
  const cast = e.cast(matrix, carrier);
  const sums =
    matrix.shape[0] === 1
      ? e.reduce("ReduceSum", e.reshape(cast, matrix.shape.slice(1)), [1])
      : e.reduce("ReduceSum", cast, [0, 2]);
  const scale = scaleTo(e, given.exponent, to, "float64");
  return {
    kind: "gradient",
    value: e.mul(e.cast(sums, "float64"), scale),
    order: identity(rows),
    rounded: false,
  };
}

/** The gradient before it was spread over the places of maxima, whose other places are 0: it has the same row sums. */
function withoutZeros(given: BatchTensor, rows: number): { value: Value; map: Int32Array } {
  if (given.unpooled === undefined) return given;
  const { windows, pooled } = given.unpooled;
  const whole = imageCover(windows, windows.image);
  const places = whole.length / rows;
  const channelsFirst = whole.map((_, i) => whole[(i % places) * rows + Math.floor(i / places)]!);
  const present = given.map.filter((row) => row >= 0);
  if (!sameOrder(present, channelsFirst)) return given;
  const count = pooled.map.length / rows;
  const map = pooled.map.map((_, i) => pooled.map[(i % count) * rows + Math.floor(i / count)]!);
  return { value: pooled.value, map };
}

/** How many times all rows' features stand one after another, in equal runs; undefined where they do not. */
function rowBlocks(map: Int32Array, row: Int32Array, count: number, rows: number): number | undefined {
  if (map.length !== count) return undefined;
  const held = new Int32Array(count).fill(-1);
  map.forEach((at, feature) => {
    if (at >= 0) held[at] = row[feature]!;
  });
  const run = held.findIndex((r) => r !== held[0]);
  const length = run < 0 ? count : run;
  if (held[0] !== 0 || count % (length * rows) !== 0) return undefined;
  return held.every((r, at) => r === Math.floor(at / length) % rows) ? count / length / rows : undefined;
}

/** ROW_MAX over the features of each sample. */
export function rowMax(ctx: Context, node: TapeNode<"ROW_MAX">, inputs: readonly FastTensor[]): BatchTensor {
  const [x] = batches(inputs);
  const tokens = node.output.shape[0]! / ctx.batch;
  const features = x!.map.length / tokens;
  if (x!.inner !== x!.map.length || !Number.isInteger(features))
    throw new NoFastRule("a row maximum of another form");
  const { e, batch } = ctx;
  const matrix = e.reshape(rowsInOrder(ctx, x!, identity(x!.map.length)), [tokens, features, batch]);
  return {
    kind: "batch",
    value: e.reduce("ReduceMax", matrix, [1]),
    map: identity(tokens),
    inner: tokens,
    range: x!.range,
    exponent: x!.exponent,
  };
}
