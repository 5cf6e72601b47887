import type { TapeNode } from "../../../core/exact/tape/types.ts";
import { elementCount } from "../../onnx/types.ts";
import { cast, double, integer, reshape, saturate, scalar, sumOver, transpose } from "./arithmetic.ts";
import type { Lowering, Value } from "./lowering.ts";

/** Bytes of the encodings u8, i8, i16 LE, i32 LE. */
const encodingBytes = [1, 1, 2, 4] as const;

/** Reads the node's bytes of every object. Whether a label is below its classes is the caller's to check. */
export function lowerInput(lowering: Lowering, node: TapeNode<"INPUT">): Value {
  const { builder, microBatch } = lowering;
  const { offset, encoding, multiply, add, exponent, classes } = node.attributes;
  const width = encodingBytes[encoding]!;
  const count = elementCount(node.output.shape) / microBatch;
  const bytes = builder.op("Slice", [
    lowering.objects(),
    builder.int64([offset]),
    builder.int64([offset + width * count]),
    builder.int64([1]),
  ]);
  const digits = reshape(builder, cast(builder, bytes, "float64"), [microBatch, count, width]);
  const places = double(
    builder,
    Array.from({ length: width }, (_, i) => 256 ** i),
    [width],
  );
  let mantissas = sumOver(builder, builder.op("Mul", [digits, places]), 2);
  if (encoding !== 0 && classes === 0) mantissas = signed(lowering, mantissas, width);
  mantissas = builder.op("Mul", [mantissas, scalar(builder, multiply)]);
  mantissas = builder.op("Add", [mantissas, scalar(builder, add)]);
  // The least int32 alone lies outside the range.
  if (encoding === 3 && classes === 0) mantissas = saturate(builder, mantissas);
  return {
    mantissas: reshape(builder, mantissas, node.output.shape),
    exponent: integer(builder, exponent),
    layout: node.output,
  };
}

/** Two's complement of `width` bytes. */
function signed({ builder }: Lowering, unsigned: string, width: number): string {
  const negative = builder.op("GreaterOrEqual", [unsigned, scalar(builder, 2 ** (8 * width - 1))]);
  const wrapped = builder.op("Sub", [unsigned, scalar(builder, 2 ** (8 * width))]);
  return builder.op("Where", [negative, wrapped, unsigned]);
}

export function lowerRelayout(
  { builder }: Lowering,
  node: TapeNode<"RELAYOUT">,
  inputs: readonly Value[],
): Value {
  const [x] = inputs as [Value];
  const { view0, view1, view2, view3, axis0, axis1, axis2, axis3 } = node.attributes;
  const seen = reshape(builder, x.mantissas, [view0, view1, view2, view3]);
  const turned = transpose(builder, seen, [axis0, axis1, axis2, axis3]);
  return {
    mantissas: reshape(builder, turned, node.output.shape),
    exponent: x.exponent,
    layout: node.output,
  };
}
