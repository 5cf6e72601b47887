import { ceilLog2 } from "../../format.ts";
import { limits } from "../../limits.ts";
import { flags, type Layout } from "../types.ts";
import type { NodeCheck } from "./node-check.ts";
import { sameElements } from "./node-check.ts";

const signed = ["I8", "I16", "I32", "I64"] as const;

export function relayout(check: NodeCheck<"RELAYOUT">): void {
  check.count(1);
  const { view0, view1, view2, view3, axis0, axis1, axis2, axis3 } = check.node.attributes;
  const view = [view0, view1, view2, view3];
  check.require(
    view.every((size) => size >= 1) && sameElements(view, check.inputs[0]!.shape),
    "shape",
    `its view [${view}] does not have the elements of [${check.inputs[0]!.shape}]`,
  );
  const axes = [axis0, axis1, axis2, axis3];
  check.require(
    [0, 1, 2, 3].every((axis) => axes.includes(axis)),
    "attribute",
    `[${axes}] is no order of four axes`,
  );
  const { output } = check.node;
  check.require(
    sameElements(view, output.shape),
    "shape",
    `its output [${output.shape}] does not have the elements of [${view}]`,
  );
  check.output(check.inputs[0]!.dtype, output.shape, output.rowAxes);
}

export function rounding(check: NodeCheck<"REQUANTIZE" | "SHIFT">): void {
  check.count(1);
  check.dtype(0, ...signed);
  const { shape, rowAxes } = check.inputs[0]!;
  check.output(check.node.opcode === "SHIFT" ? "I32" : check.mantissas, shape, rowAxes);
}

export function matmul(check: NodeCheck<"MATMUL">): void {
  const { attributes } = check.node;
  const { bias, gate } = check.flagged(
    2,
    attributes.flags,
    flags.bias | flags.gate | flags.relu | flags.fixed,
  );
  for (const i of [0, 1]) check.dtype(i, "I8", "I16");
  const [rows, terms] = check.rank(0, 2);
  const [outputs] = check.rank(1, 2);
  check.shape(1, [outputs!, terms!]);
  check.bias(bias, outputs!);
  check.output(check.finished(attributes.flags), [rows!, outputs!]);
  check.gate(gate);
}

export function rowSum(check: NodeCheck<"ROW_SUM">): void {
  const { flags: flagBits } = check.node.attributes;
  check.flagged(1, flagBits, flags.fixed);
  check.dtype(0, "I8", "I16", "I32", "U8", "U32");
  const [rows] = check.rank(0, 2);
  check.output(flagBits & flags.fixed ? "I32" : "I64", [rows!]);
}

export function rowMax(check: NodeCheck<"ROW_MAX">): void {
  check.count(1);
  const [rows] = check.rank(0, 2);
  check.output(check.inputs[0]!.dtype, [rows!]);
}

/** B-bit tensors of one layout in, one out. */
function elementwise(check: NodeCheck): void {
  const { shape, rowAxes } = check.inputs[0]!;
  for (const i of check.inputs.keys()) {
    check.dtype(i, check.mantissas);
    check.shape(i, shape);
  }
  check.output(check.mantissas, shape, rowAxes);
}

export function add(check: NodeCheck<"ADD">): void {
  const { inputs, attributes } = check.node;
  check.require(
    inputs.length >= 2 && inputs.length <= limits.addInputs,
    "inputs",
    `it has ${inputs.length} inputs and takes 2 to ${limits.addInputs}`,
    "add in several nodes",
  );
  check.flagged(inputs.length, attributes.flags, flags.relu);
  elementwise(check);
}

export function unary(check: NodeCheck<"RELU">): void {
  check.count(1);
  elementwise(check);
}

export function gate(check: NodeCheck<"GATE">): void {
  check.count(2);
  elementwise(check);
}

export function exp(check: NodeCheck<"EXP">): void {
  check.count(2);
  check.dtype(0, "I32");
  check.exponent(0, -16);
  const shape = check.rank(0, 2);
  const max = check.source(1);
  // A value above its maximum would have a negative difference, which EXP does not define.
  check.require(
    max.opcode === "ROW_MAX" && max.inputs[0] === check.node.inputs[0],
    "inputs",
    "its second input must be the ROW_MAX of its first",
  );
  check.output("U32", shape);
}

export function softmaxGrad(check: NodeCheck<"SOFTMAX_GRAD">): void {
  const { attributes, inputs } = check.node;
  check.flagged(3, attributes.flags, flags.quantize);
  const sum = check.source(1);
  // Any other divisor could be zero, or smaller than what it divides.
  check.require(
    check.source(0).opcode === "EXP" &&
      sum.opcode === "ROW_SUM" &&
      sum.inputs[0] === inputs[0] &&
      (sum.attributes.flags & flags.fixed) === 0,
    "inputs",
    "its first two inputs must be an EXP and the exact ROW_SUM of it",
  );
  const [rows, classes] = check.rank(0, 2);
  check.dtype(2, "U8", "U32");
  check.shape(2, [rows!]);
  const { max } = check.facts[inputs[2]!]!.range;
  check.require(
    max < classes!,
    "label",
    `labels reach ${max} and there are ${classes} classes`,
    `read the labels by an INPUT with at most ${classes} classes`,
  );
  const { probabilityBits } = attributes;
  const least = Math.max(
    limits.probabilityBitsLeast,
    limits.probabilityBitsAboveClasses + ceilLog2(classes!),
  );
  check.require(
    probabilityBits >= least && probabilityBits <= limits.probabilityBitsMost,
    "probability-bits",
    `P is ${probabilityBits}; ${classes} classes need ${least} to ${limits.probabilityBitsMost}`,
    least > limits.probabilityBitsMost ? "use fewer classes" : `set P to ${least} or more`,
  );
  const exact = (attributes.flags & flags.quantize) === 0;
  check.require(
    !exact || (check.program.bits === 16 && probabilityBits === 15),
    "probability-bits",
    "only E16 with P = 15 takes the gradient as it is",
    "set the flag that quantises it",
  );
  check.output(check.mantissas, [rows!, classes!]);
}

export function mseGrad(check: NodeCheck<"MSE_GRAD">): void {
  check.count(2);
  check.rank(0, 2);
  elementwise(check);
}

/** int32 tensors of one layout at these exponents in, one out. */
export function optimizer(check: NodeCheck, exponents: readonly number[]): void {
  check.count(exponents.length);
  const first: Layout = check.inputs[0]!;
  for (const [i, exponent] of exponents.entries()) {
    check.dtype(i, "I32");
    check.shape(i, first.shape);
    check.exponent(i, exponent);
  }
  check.output("I32", first.shape, first.rowAxes);
}

export function sgdMomentum(check: NodeCheck<"SGD_MOMENTUM">): void {
  for (const factor of ["momentum", "weightDecay"]) check.within(factor, 0, limits.factor);
  for (const shift of ["momentumShift", "weightDecayShift"]) check.within(shift, 0, limits.factorShift);
  optimizer(check, [-26, -26, -28]);
}

export function sgdWeight(check: NodeCheck<"SGD_WEIGHT">): void {
  check.within("learningRateShift", 0, limits.factorShift);
  optimizer(check, [-28, -26]);
}
