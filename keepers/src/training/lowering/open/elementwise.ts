import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { aligned, finished, fixed, gated, maximumOver, requantized, sumOver } from "./arithmetic.ts";
import type { Lowering, Value } from "./lowering.ts";

export function lowerRequantize(
  { builder, bits }: Lowering,
  node: TapeNode<"REQUANTIZE">,
  inputs: readonly Value[],
): Value {
  const [x] = inputs as [Value];
  return { ...requantized(builder, bits, x), layout: node.output };
}

export function lowerShift({ builder }: Lowering, node: TapeNode<"SHIFT">, inputs: readonly Value[]): Value {
  const [x] = inputs as [Value];
  return { ...fixed(builder, x, node.attributes.exponent), layout: node.output };
}

export function lowerRowSum(lowering: Lowering, node: TapeNode<"ROW_SUM">, inputs: readonly Value[]): Value {
  const [x] = inputs as [Value];
  const { flags: flagBits, exponent } = node.attributes;
  const sums = { mantissas: sumOver(lowering.builder, x.mantissas, 1), exponent: x.exponent };
  if ((flagBits & flags.fixed) === 0) return { ...sums, layout: node.output };
  return finished(lowering, sums, node.output, flagBits, exponent);
}

export function lowerRowMax(
  { builder }: Lowering,
  node: TapeNode<"ROW_MAX">,
  inputs: readonly Value[],
): Value {
  const [x] = inputs as [Value];
  return { mantissas: maximumOver(builder, x.mantissas, 1), exponent: x.exponent, layout: node.output };
}

export function lowerAdd(lowering: Lowering, node: TapeNode<"ADD">, inputs: readonly Value[]): Value {
  const { builder, bits } = lowering;
  const terms = aligned(builder, inputs);
  const sum = terms.mantissas.reduce((left, right) => builder.op("Add", [left, right]));
  const mantissas = (node.attributes.flags & flags.relu) !== 0 ? builder.op("Relu", [sum]) : sum;
  return { ...requantized(builder, bits, { mantissas, exponent: terms.exponent }), layout: node.output };
}

export function lowerRelu({ builder }: Lowering, node: TapeNode<"RELU">, inputs: readonly Value[]): Value {
  const [x] = inputs as [Value];
  return { mantissas: builder.op("Relu", [x.mantissas]), exponent: x.exponent, layout: node.output };
}

export function lowerGate({ builder }: Lowering, node: TapeNode<"GATE">, inputs: readonly Value[]): Value {
  const [d, gate] = inputs as [Value, Value];
  return { mantissas: gated(builder, d.mantissas, gate), exponent: d.exponent, layout: node.output };
}
