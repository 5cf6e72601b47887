import type { Opcode } from "../tape/types.ts";
import { conv, convPoolIndex } from "./convolution.ts";
import { convInputGrad, convWeightGrad } from "./convolution-gradients.ts";
import { add, gate, relayout, relu, requantize, shiftTo } from "./elementwise.ts";
import { input, load, store } from "./input.ts";
import { matmul, rowMax, rowSum } from "./linear.ts";
import { exp, mseGrad, softmaxGrad } from "./loss.ts";
import { accumulate, sgdMomentum, sgdWeight } from "./optimizer.ts";
import { averagePool, averagePoolGrad, maxPool, maxPoolGrad, maxPoolIndex } from "./pooling.ts";
import type { Operation } from "./types.ts";

/** The definition of every opcode: `docs/exact-ops.md`, sections 4 to 6. */
export const operations: { readonly [O in Opcode]: Operation<O> } = {
  INPUT: input,
  LOAD: load,
  STORE: store,
  RELAYOUT: relayout,
  REQUANTIZE: requantize,
  SHIFT: shiftTo,
  MATMUL: matmul,
  CONV: conv,
  CONV_POOL_INDEX: convPoolIndex,
  CONV_INPUT_GRAD: convInputGrad,
  CONV_WEIGHT_GRAD: convWeightGrad,
  ROW_SUM: rowSum,
  ROW_MAX: rowMax,
  ADD: add,
  RELU: relu,
  GATE: gate,
  MAX_POOL: maxPool,
  MAX_POOL_INDEX: maxPoolIndex,
  MAX_POOL_GRAD: maxPoolGrad,
  AVERAGE_POOL: averagePool,
  AVERAGE_POOL_GRAD: averagePoolGrad,
  EXP: exp,
  SOFTMAX_GRAD: softmaxGrad,
  MSE_GRAD: mseGrad,
  ACCUMULATE: accumulate,
  SGD_MOMENTUM: sgdMomentum,
  SGD_WEIGHT: sgdWeight,
};

/** The operation of an opcode that is known only at run time: it takes that opcode's nodes alone. */
export function operationOf(opcode: Opcode): Operation<Opcode> {
  return operations[opcode] as unknown as Operation<Opcode>;
}
