import type { Opcode } from "../types.ts";
import { accumulate, input, load, store } from "./data.ts";
import {
  add,
  exp,
  gate,
  matmul,
  mseGrad,
  relayout,
  rounding,
  rowMax,
  rowSum,
  sgdMomentum,
  sgdWeight,
  softmaxGrad,
  unary,
} from "./dense.ts";
import type { NodeCheck } from "./node-check.ts";
import { convInputGrad, convolution, convWeightGrad, poolGrad, pooling } from "./window.ts";

/** Inputs, types, shapes and attributes of every opcode. */
const rules: { readonly [O in Opcode]: (check: NodeCheck<O>) => void } = {
  INPUT: input,
  LOAD: load,
  STORE: store,
  RELAYOUT: relayout,
  REQUANTIZE: rounding,
  SHIFT: rounding,
  MATMUL: matmul,
  CONV: convolution,
  CONV_POOL_INDEX: convolution,
  CONV_INPUT_GRAD: convInputGrad,
  CONV_WEIGHT_GRAD: convWeightGrad,
  ROW_SUM: rowSum,
  ROW_MAX: rowMax,
  ADD: add,
  RELU: unary,
  GATE: gate,
  MAX_POOL: pooling,
  MAX_POOL_INDEX: pooling,
  MAX_POOL_GRAD: poolGrad,
  AVERAGE_POOL: pooling,
  AVERAGE_POOL_GRAD: poolGrad,
  EXP: exp,
  SOFTMAX_GRAD: softmaxGrad,
  MSE_GRAD: mseGrad,
  ACCUMULATE: accumulate,
  SGD_MOMENTUM: sgdMomentum,
  SGD_WEIGHT: sgdWeight,
};

/** Opcodes that stand on one tape alone. */
const onlyOn: Partial<Record<Opcode, number>> = {
  INPUT: 0,
  ACCUMULATE: 1,
  SGD_MOMENTUM: 2,
  SGD_WEIGHT: 2,
};

/** Applies the rule of the node's opcode. Throws VoidProgramError. */
export function checkByOpcode(check: NodeCheck): void {
  const { opcode } = check.node;
  const tape = onlyOn[opcode] ?? check.tape;
  check.require(tape === check.tape, "opcode", `it stands on tape ${tape} alone`);
  (rules[opcode] as (check: NodeCheck) => void)(check);
}
