import type { TapeNode } from "../../../core/exact/tape/types.ts";
import { type Context, carrierFor } from "./context.ts";
import type { Value } from "./emitter.ts";
import { type BatchTensor, identity, largest, type Range } from "./tensors.ts";

/** Proved limits of what an INPUT node yields. */
export function inputRange({ attributes }: TapeNode<"INPUT">): Range {
  const { multiply, add, classes } = attributes;
  const { min, max } = encodings[attributes.encoding]!;
  const limit = 2 ** 31 - 1;
  const ends = (classes > 0 ? [0, classes - 1] : [min * multiply + add, max * multiply + add]).map((v) =>
    Math.max(-limit, Math.min(limit, v)),
  );
  return { min: Math.min(...ends), max: Math.max(...ends) };
}

/** Bytes of one raw value by `encoding`, and the limits of its values. */
const encodings = [
  { width: 1, min: 0, max: 255 },
  { width: 1, min: -128, max: 127 },
  { width: 2, min: -(2 ** 15), max: 2 ** 15 - 1 },
  { width: 4, min: -(2 ** 31), max: 2 ** 31 - 1 },
] as const;

/**
 * INPUT: bytes [N, objectBytes] to numbers [features, N].
 * @param objects bytes of one micro-batch
 */
export function input(ctx: Context, node: TapeNode<"INPUT">, objects: Value): BatchTensor {
  const { e, batch } = ctx;
  const { attributes, output } = node;
  const { offset, multiply, add, exponent, classes } = attributes;
  const { width, min, max } = encodings[attributes.encoding]!;
  const features = output.shape.slice(1).reduce((product, size) => product * size, 1);
  const bytes = e.slice(objects, [1], [offset], [offset + features * width]);
  const raw = bytesToNumbers(ctx, bytes, features, width, classes === 0 ? min : 0, classes > 0);
  const limit = 2 ** 31 - 1;
  const range = inputRange(node);
  const shape = { kind: "batch", map: identity(features), inner: features, range } as const;
  const at = { lo: exponent, hi: exponent };
  if (classes > 0) return { ...shape, value: e.reshape(raw, [features, batch]), exponent: at };
  const carrier = carrierFor(
    ctx,
    "INPUT",
    Math.max(largest(range), -min * Math.abs(multiply), max * Math.abs(multiply)),
  );
  let value = e.cast(e.transpose(raw, [1, 0]), carrier);
  if (multiply !== 1) value = e.mul(value, e.numbers([multiply], carrier));
  if (add !== 0) value = e.add(value, e.numbers([add], carrier));
  if (min * multiply + add < -limit) value = e.clamp(value, limit);
  return { ...shape, value, exponent: at };
}

/** Little-endian bytes as numbers [N, features]; one byte each stays a byte. */
function bytesToNumbers(
  { e, batch }: Context,
  bytes: Value,
  features: number,
  width: number,
  min: number,
  label: boolean,
): Value {
  if (width === 1) {
    if (min === 0) return label ? e.cast(bytes, "int32") : bytes;
    return signed(e, e.cast(bytes, "int32"), 8);
  }
  const parts = e.cast(e.reshape(bytes, [batch, features, width]), "float64");
  const weights = e.numbers(
    Array.from({ length: width }, (_, i) => 2 ** (8 * i)),
    "float64",
    [width, 1],
  );
  const unsigned = e.reshape(e.matmul(parts, weights), [batch, features]);
  if (label) return e.cast(unsigned, "float64");
  return signed(e, unsigned, 8 * width);
}

/** Two's complement of `bits` bits. */
function signed(e: Context["e"], value: Value, bits: number): Value {
  const half = e.numbers([2 ** (bits - 1)], value.type, []);
  const negative = e.binary("GreaterOrEqual", value, half, "bool");
  const [whole, none] = [2 ** bits, 0].map((v) => e.numbers([v], value.type, []));
  return e.sub(value, e.op("Where", [negative, whole!, none!], value.shape, value.type));
}
