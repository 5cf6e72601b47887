import { fixedExponents } from "../../../core/exact/format.ts";
import type { TapeNode } from "../../../core/exact/tape/types.ts";
import { integer, rounded, saturate, scalar } from "./arithmetic.ts";
import type { Lowering, Value } from "./lowering.ts";

/** All products stay below 2^52: mantissas have 31 bits, the factors 16, and a weight's 2 more. */

export function lowerAccumulate(lowering: Lowering, node: TapeNode<"ACCUMULATE">): Value {
  const { builder, microBatches } = lowering;
  const sum = lowering.gradientSum(node.attributes.slot);
  return {
    mantissas: rounded(builder, sum, Math.log2(microBatches)),
    exponent: integer(builder, fixedExponents.gradient),
    layout: node.output,
  };
}

export function lowerSgdMomentum(
  { builder }: Lowering,
  node: TapeNode<"SGD_MOMENTUM">,
  inputs: readonly Value[],
): Value {
  const [g, v, w] = inputs as [Value, Value, Value];
  const { momentum, momentumShift, weightDecay, weightDecayShift } = node.attributes;
  const product = (value: Value, factor: number, shift: number) =>
    rounded(builder, builder.op("Mul", [value.mantissas, scalar(builder, factor)]), shift);
  const kept = product(v, momentum, momentumShift);
  // A weight is at an exponent 2 below a momentum's.
  const decay = product(w, weightDecay, weightDecayShift + 2);
  const sum = builder.op("Add", [builder.op("Add", [g.mantissas, kept]), decay]);
  return {
    mantissas: saturate(builder, sum),
    exponent: integer(builder, fixedExponents.gradient),
    layout: node.output,
  };
}

export function lowerSgdWeight(
  lowering: Lowering,
  node: TapeNode<"SGD_WEIGHT">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [w, v] = inputs as [Value, Value];
  const quadruple = builder.op("Mul", [v.mantissas, scalar(builder, 4)]);
  const step = builder.op("Mul", [quadruple, lowering.learningRate()]);
  const change = rounded(builder, step, node.attributes.learningRateShift);
  return {
    mantissas: saturate(builder, builder.op("Sub", [w.mantissas, change])),
    exponent: integer(builder, fixedExponents.weight),
    layout: node.output,
  };
}
