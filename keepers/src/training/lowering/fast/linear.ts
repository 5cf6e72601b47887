import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { gated } from "./align.ts";
import { biasAt } from "./bias.ts";
import {
  biasLimit,
  type Context,
  carrierFor,
  carrierLimits,
  isPermutation,
  mantissaLimit,
  rowsInOrder,
} from "./context.ts";
import type { Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { lookup, plus, scaleTo } from "./exponent.ts";
import { fix, requantize } from "./requantize.ts";
import {
  type BatchTensor,
  type FastTensor,
  type GradientTensor,
  identity,
  inverse,
  largest,
  type SlotTensor,
} from "./tensors.ts";

type Matmul = TapeNode<"MATMUL">;

/** MATMUL: of the batch with a weight, or of two batch tensors over the batch (a weight gradient). */
export function matmul(ctx: Context, node: Matmul, inputs: readonly FastTensor[]): FastTensor {
  const [a, b, ...rest] = inputs;
  const [rows, outputs] = node.output.shape as [number, number];
  if (a?.kind === "batch" && b?.kind === "batch") return overBatch(ctx, node, a, b, rows, outputs);
  if (a?.kind === "batch" && b?.kind === "slot") return withWeight(ctx, node, a, b, rest, outputs);
  throw new NoFastRule("a product of two slots");
}

/** Number of terms of each row's sum, where the batch is (part of) the contracted axis. */
function overBatch(
  ctx: Context,
  node: Matmul,
  a: BatchTensor,
  b: BatchTensor,
  rows: number,
  outputs: number,
): GradientTensor {
  if (node.attributes.flags !== flags.fixed)
    throw new NoFastRule("a product over the batch that is no gradient");
  const per = a.map.length / rows;
  if (a.inner !== per || b.inner !== per || b.map.length !== outputs * per)
    throw new NoFastRule("a product whose batch axis is not the contracted one");
  const { e, batch } = ctx;
  const exponent = plus(e, a.exponent, b.exponent);
  const terms = per * batch;
  const magnitude = terms * largest(a.range) * largest(b.range);
  const carrier = carrierFor(ctx, `MATMUL over ${terms} terms`, magnitude);
  const matrix = (x: BatchTensor, size: number) => {
    // One feature for each row may lie in any order; the gradient then lies in that order too.
    const order = per === 1 && isPermutation(x) ? inverse(x.map) : identity(x.map.length);
    const value = e.cast(rowsInOrder(ctx, x, order), carrier);
    return { order, value: e.reshape(value, [size, terms]) };
  };
  const left = matrix(a, rows);
  const right = matrix(b, outputs);
  // A power of two on the smaller operand is exact and spares a pass over the product; so does ½ where it stays exact:
  // shifts that leave less than ½ of any sum give 0.
  const limit = carrierLimits[carrier];
  const rounded = magnitude < limit / 2;
  const shift = (from: number) => node.attributes.exponent - from;
  const scale = rounded
    ? lookup(e, exponent, carrier, (from) =>
        2 ** shift(from) > limit ? 0 : 2 ** -Math.max(shift(from), -62),
      )
    : scaleTo(e, exponent, node.attributes.exponent, carrier);
  const half = rounded ? lookup(e, exponent, carrier, (from) => (shift(from) > 0 ? 0.5 : 0)) : undefined;
  const sums = e.gemm(right.value, e.mul(left.value, scale), false, true, half);
  const product = rounded ? e.unary("Floor", sums) : sums;
  const order = new Int32Array(rows * outputs);
  const leftRow = per === 1 ? left.order : identity(rows);
  const rightRow = per === 1 ? right.order : identity(outputs);
  for (let k = 0; k < outputs; k++) {
    for (let o = 0; o < rows; o++) order[k * rows + o] = leftRow[o]! * outputs + rightRow[k]!;
  }
  return { kind: "gradient", value: e.cast(e.flat(product), "float64"), order, rounded };
}

function withWeight(
  ctx: Context,
  node: Matmul,
  a: BatchTensor,
  b: SlotTensor,
  rest: readonly FastTensor[],
  outputs: number,
): BatchTensor {
  const { e, batch, slots, bits } = ctx;
  const terms = b.order.length / outputs;
  const tokens = a.map.length / terms;
  if (!b.quantized || !Number.isInteger(tokens) || a.inner !== a.map.length)
    throw new NoFastRule("a product whose batch axis is not the row");
  const attributes = node.attributes;
  const fixed = (attributes.flags & flags.fixed) !== 0;
  const relu = (attributes.flags & flags.relu) !== 0;
  const exponent = plus(e, a.exponent, slots.exponent(b.slot));
  const hasBias = (attributes.flags & flags.bias) !== 0;
  const bound = terms * largest(a.range) * mantissaLimit(bits) + (hasBias ? biasLimit(bits) : 0);
  const direct = tokens === 1 && isPermutation(a);
  const order = direct ? inverse(a.map) : identity(terms);
  const x = direct
    ? a.value
    : e.reshape(rowsInOrder(ctx, a, tokenOrder(terms, tokens)), [terms, tokens * batch]);
  const weight = weightMatrix(ctx, b, outputs, order);
  const bias = hasBias ? biasAt(ctx, rest[0], weight.outputs, exponent) : undefined;
  const sums = product(ctx, weight, x, bias, bound, largest(a.range) * mantissaLimit(bits));
  const value = e.reshape(sums, [outputs * tokens, batch]);
  const map = new Int32Array(outputs * tokens);
  const position = inverse(weight.outputs);
  for (let t = 0; t < tokens; t++) {
    for (let o = 0; o < outputs; o++) map[t * outputs + o] = position[o]! * tokens + t;
  }
  const whole = { kind: "batch", map, inner: map.length, value } as const;
  const gate = (attributes.flags & flags.gate) !== 0 ? rest[Number(hasBias)] : undefined;
  const shape = gate === undefined ? whole : gated(ctx, whole, gate);
  const open = shape.value;
  if (fixed) {
    const result = fix(ctx, relu ? e.unary("Relu", open) : open, exponent, attributes.exponent);
    const max = 2 ** 31 - 1;
    return {
      ...shape,
      value: result,
      range: { min: -max, max },
      exponent: { lo: attributes.exponent, hi: attributes.exponent },
    };
  }
  return { ...shape, ...requantize(ctx, { value: open, exponent, bound, relu }) };
}

/** Position → feature, so that features of one term lie together: [terms, tokens]. */
function tokenOrder(terms: number, tokens: number): Int32Array {
  return Int32Array.from({ length: terms * tokens }, (_, i) => (i % tokens) * terms + Math.floor(i / tokens));
}

type WeightMatrix = { value: Value; transposed: boolean; outputs: Int32Array };

/**
 * The weight [outputs, terms] with its terms in the order wanted: as [terms, outputs] (`transposed`), or as it lies when
 * the slot lies the other way round. `outputs` is the order of the rows of the result.
 */
function weightMatrix(ctx: Context, b: SlotTensor, outputs: number, terms: Int32Array): WeightMatrix {
  const { e, slots } = ctx;
  const count = terms.length;
  const seen = slots.seenOrder(b);
  if (seen !== undefined) {
    // The slot may lie as [outputs, terms], with the outputs in any order, when forward laid it out for the other side.
    const rows = Int32Array.from({ length: outputs }, (_, r) => Math.floor(seen[r * count]! / count));
    const fits = seen.every((logical, p) => {
      const row = rows[Math.floor(p / count)]!;
      return logical === row * count + terms[p % count]!;
    });
    if (fits && new Set(rows).size === outputs) {
      return { value: e.reshape(slots.read(e, b, seen), [outputs, count]), transposed: false, outputs: rows };
    }
  }
  const wanted = new Int32Array(outputs * count);
  for (let k = 0; k < count; k++) {
    for (let o = 0; o < outputs; o++) wanted[k * outputs + o] = o * count + terms[k]!;
  }
  const value = e.reshape(slots.read(e, b, wanted), [count, outputs]);
  return { value, transposed: true, outputs: identity(outputs) };
}

/** weight·x + bias, in the cheapest carrier in which every sum is exact. */
function product(
  ctx: Context,
  weight: WeightMatrix,
  x: Value,
  bias: Value | undefined,
  bound: number,
  perTerm: number,
): Value {
  const { e } = ctx;
  const column = bias === undefined ? undefined : e.reshape(bias, [bias.shape[0]!, 1]);
  const terms = x.shape[0]!;
  const carrier = carrierFor(ctx, `MATMUL over ${terms} terms`, bound);
  const perPart = Math.floor((carrierLimits[ctx.carrier] - 1) / perTerm);
  if (carrier === ctx.carrier || !weight.transposed || perPart < 64) {
    const [w, y] = [weight.value, x].map((v) => e.cast(v, carrier));
    const c = column === undefined ? undefined : e.cast(column, carrier);
    return e.gemm(w!, y!, weight.transposed, false, c);
  }
  // Sums over a part of the terms are exact in the narrow carrier; float64 adds them.
  const parts = Math.ceil(terms / perPart);
  const sums: Value[] = [];
  for (let part = 0; part < parts; part++) {
    const [from, to] = [part, part + 1].map((p) => Math.floor((p * terms) / parts));
    const [w, y] = [weight.value, x].map((v) => e.slice(v, [0], [from!], [to!]));
    sums.push(e.cast(e.gemm(w!, y!, true, false), carrier));
  }
  if (column !== undefined) sums.push(column);
  return sums.reduce((sum, term) => e.add(sum, term));
}
