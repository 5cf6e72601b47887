import { T1, T2 } from "../../../core/exact/tables.ts";
import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import {
  aligned,
  cast,
  divided,
  double,
  floorDivided,
  integer,
  raised,
  requantized,
  reshape,
  scalar,
} from "./arithmetic.ts";
import type { Lowering, Value } from "./lowering.ts";

/** Constants of `docs/exact-ops.md`, section 5. */
const largestDistance = 20 * 2 ** 16;
const log2OfE = 94548;
const expExponent = -30;
const productBits = 22;
/** ⌊largestDistance · log2OfE / 2^32⌋: the most whole halvings. */
const mostHalvings = 28;

export function lowerExp({ builder }: Lowering, node: TapeNode<"EXP">, inputs: readonly Value[]): Value {
  const [z, max] = inputs as [Value, Value];
  const [rows] = node.output.shape as [number];
  const floorShift = (value: string, bits: number) =>
    builder.op("Floor", [builder.op("Mul", [value, scalar(builder, 2 ** -bits)])]);
  const low = (value: string, high: string, bits: number) =>
    builder.op("Sub", [value, builder.op("Mul", [high, scalar(builder, 2 ** bits)])]);
  const lookup = (table: readonly number[], index: string) =>
    builder.op("Gather", [double(builder, table, [table.length]), cast(builder, index, "int64")]);

  const distance = builder.op("Sub", [reshape(builder, max.mantissas, [rows, 1]), z.mantissas]);
  const d = builder.op("Min", [distance, scalar(builder, largestDistance)]);
  const tau = floorShift(builder.op("Mul", [d, scalar(builder, log2OfE)]), 16);
  const n = floorShift(tau, 16);
  const f = low(tau, n, 16);
  const coarse = floorShift(f, 8);
  const product = builder.op("Mul", [lookup([...T1], coarse), lookup([...T2], low(f, coarse, 8))]);
  const scales = Array.from({ length: mostHalvings + 1 }, (_, i) => 2 ** -(i + productBits));
  const mantissas = builder.op("Floor", [builder.op("Mul", [product, lookup(scales, n)])]);
  return { mantissas, exponent: integer(builder, expExponent), layout: node.output };
}

export function lowerSoftmaxGrad(
  { builder, bits, microBatch }: Lowering,
  node: TapeNode<"SOFTMAX_GRAD">,
  inputs: readonly Value[],
): Value {
  const [e, sum, label] = inputs as [Value, Value, Value];
  const [rows, classes] = node.output.shape as [number, number];
  const { flags: flagBits, probabilityBits } = node.attributes;
  const one = scalar(builder, 2 ** probabilityBits);
  const column = (value: Value) => reshape(builder, value.mantissas, [rows, 1]);
  const quotient = floorDivided(builder, builder.op("Mul", [e.mantissas, one]), column(sum));
  const names = double(
    builder,
    Array.from({ length: classes }, (_, k) => k),
    [classes],
  );
  const right = builder.op("Equal", [column(label), names]);
  const target = builder.op("Where", [right, one, scalar(builder, 0)]);
  const accumulators = {
    mantissas: builder.op("Sub", [quotient, target]),
    exponent: integer(builder, -probabilityBits - Math.log2(microBatch)),
  };
  const finish = (flagBits & flags.quantize) !== 0 ? requantized(builder, bits, accumulators) : accumulators;
  return { ...finish, layout: node.output };
}

export function lowerMseGrad(
  { builder, bits, microBatch }: Lowering,
  node: TapeNode<"MSE_GRAD">,
  inputs: readonly Value[],
): Value {
  const { mantissas, exponent } = aligned(builder, inputs);
  const [z, y] = mantissas as [string, string];
  const difference = {
    mantissas: builder.op("Sub", [z, y]),
    exponent: raised(builder, exponent, 1 - Math.log2(microBatch)),
  };
  const means = divided(builder, difference, node.output.shape[1]!);
  return { ...requantized(builder, bits, means), layout: node.output };
}
