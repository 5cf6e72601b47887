import { T1, T2 } from "../../../core/exact/tables.ts";
import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { aligned } from "./align.ts";
import { type Context, carrierFor, rowsInOrder } from "./context.ts";
import { align } from "./elementwise.ts";
import { NoFastRule } from "./errors.ts";
import { offset } from "./exponent.ts";
import { divide } from "./pooling.ts";
import { requantize } from "./requantize.ts";
import { type BatchTensor, type FastTensor, identity } from "./tensors.ts";

/** e^−20 is the least that EXP distinguishes, at 16 fraction bits. */
const largestDifference = 20 * 2 ** 16;
/** log2 e at 16 fraction bits. */
const log2E = 94_548;

function batchOf(tensor: FastTensor | undefined): BatchTensor {
  if (tensor?.kind !== "batch") throw new NoFastRule("a loss of something else than the batch");
  return tensor;
}

/** Features of each sample in order, [tokens, features, N]: more than one token stands for rows beside the batch's. */
function rowsOf(ctx: Context, x: BatchTensor, tokens: number) {
  const features = x.map.length / tokens;
  if (x.inner !== x.map.length || !Number.isInteger(features))
    throw new NoFastRule("rows that are not the batch's");
  const value = rowsInOrder(ctx, x, identity(x.map.length));
  return ctx.e.reshape(value, [tokens, features, ctx.batch]);
}

/**
 * EXP. T1 with the power of two in one table over ⌊τ / 256⌋: the product with T2 has at most 53 bits, so it and its floor
 * are exact.
 */
export function exp(ctx: Context, _node: TapeNode<"EXP">, inputs: readonly FastTensor[]): BatchTensor {
  const { e } = ctx;
  const [z, max] = [batchOf(inputs[0]), batchOf(inputs[1])];
  const tokens = max.map.length;
  const logits = e.cast(rowsOf(ctx, z, tokens), "float64");
  const top = e.cast(rowsOf(ctx, max, tokens), "float64");
  const cut = e.numbers([largestDifference], "float64");
  const difference = e.binary("Min", e.sub(top, logits), cut);
  const power = e.cast(e.mul(difference, e.numbers([log2E * 2 ** -16], "float64")), "int32");
  const byte = e.numbers([256], "int32");
  const most = Math.floor((largestDifference * log2E) / 2 ** 24) + 1;
  const coarse = Array.from({ length: most }, (_, i) => T1[i & 255]! * 2 ** -(Math.floor(i / 256) + 22));
  const product = e.mul(
    e.gather(e.numbers(coarse, "float64"), e.binary("Div", power, byte)),
    e.gather(e.numbers([...T2], "float64"), e.binary("Mod", power, byte)),
  );
  return {
    kind: "batch",
    value: e.reshape(e.unary("Floor", product), [z.map.length, ctx.batch]),
    map: identity(z.map.length),
    inner: z.map.length,
    range: { min: 0, max: 2 ** 30 },
    exponent: { lo: -30, hi: -30 },
  };
}

/** SOFTMAX_GRAD. ⌊a / b⌋ by float64 division is exact for a + b < 2^53. */
export function softmaxGradient(
  ctx: Context,
  node: TapeNode<"SOFTMAX_GRAD">,
  inputs: readonly FastTensor[],
): BatchTensor {
  const { e, batch } = ctx;
  const [exponentials, sum, label] = [batchOf(inputs[0]), batchOf(inputs[1]), batchOf(inputs[2])];
  const { probabilityBits } = node.attributes;
  const one = 2 ** probabilityBits;
  carrierFor(ctx, "SOFTMAX_GRAD", exponentials.range.max * one - 1);
  const tokens = sum.map.length;
  const matrix = e.cast(rowsOf(ctx, exponentials, tokens), "float64");
  const scaled = e.mul(matrix, e.numbers([one], "float64"));
  const total = e.cast(rowsOf(ctx, sum, tokens), "float64");
  const probability = e.unary("Floor", e.binary("Div", scaled, total));
  const classes = matrix.shape[1]!;
  const names = e.numbers([...Array(classes).keys()], label.value.type, [classes, 1]);
  const hit = e.binary("Equal", names, rowsOf(ctx, label, tokens), "bool");
  const [full, none] = [one, 0].map((v) => e.numbers([v], "float64", []));
  const wanted = e.op("Where", [hit, full!, none!], matrix.shape, "float64");
  const value = e.cast(
    e.reshape(e.sub(probability, wanted), [tokens * classes, batch]),
    carrierFor(ctx, "SOFTMAX_GRAD", one),
  );
  const at = -probabilityBits - Math.log2(batch);
  const plain = {
    kind: "batch",
    map: identity(tokens * classes),
    inner: tokens * classes,
    value,
    range: { min: -one, max: one },
    exponent: { lo: at, hi: at },
  } as const;
  if ((node.attributes.flags & flags.quantize) === 0) return { ...plain, value: e.cast(value, ctx.carrier) };
  return { ...plain, ...requantize(ctx, { value, exponent: plain.exponent, bound: one }) };
}

/** MSE_GRAD. */
export function meanSquareGradient(
  ctx: Context,
  node: TapeNode<"MSE_GRAD">,
  inputs: readonly FastTensor[],
): BatchTensor {
  const tensors = [batchOf(inputs[0]), batchOf(inputs[1])];
  const rows = aligned(ctx, tensors);
  const { values, bound, exponent } = align(
    ctx,
    tensors.map(({ exponent, range }, i) => ({ value: rows.values[i]!, exponent, range })),
  );
  const difference = {
    value: ctx.e.sub(values[0]!, values[1]!),
    bound,
    exponent: offset(exponent, 1 - Math.log2(ctx.batch)),
  };
  const quotient = divide(ctx, difference, node.output.shape[1]!);
  return { kind: "batch", map: rows.map, inner: tensors[0]!.inner, ...requantize(ctx, quotient) };
}
