import type { Opcode, TapeNode } from "../../../core/exact/tape/types.ts";
import { lowerContraction } from "./contractions.ts";
import {
  lowerAdd,
  lowerGate,
  lowerRelu,
  lowerRequantize,
  lowerRowMax,
  lowerRowSum,
  lowerShift,
} from "./elementwise.ts";
import { lowerExp, lowerMseGrad, lowerSoftmaxGrad } from "./loss.ts";
import type { Lowering, Value } from "./lowering.ts";
import { lowerInput, lowerRelayout } from "./movement.ts";
import { lowerAccumulate, lowerSgdMomentum, lowerSgdWeight } from "./optimizer.ts";
import {
  lowerAveragePool,
  lowerAveragePoolGrad,
  lowerMaxPool,
  lowerMaxPoolGrad,
  lowerMaxPoolIndex,
} from "./pools.ts";

type Lower<O extends Opcode> = (lowering: Lowering, node: TapeNode<O>, inputs: readonly Value[]) => Value;

const lowerings: { readonly [O in Opcode]: Lower<O> } = {
  INPUT: lowerInput,
  LOAD: (lowering, node) => lowering.load(node.attributes.space, node.attributes.slot),
  STORE: (_, node, inputs) => ({ ...inputs[0]!, layout: node.output }),
  RELAYOUT: lowerRelayout,
  REQUANTIZE: lowerRequantize,
  SHIFT: lowerShift,
  MATMUL: lowerContraction,
  CONV: lowerContraction,
  CONV_POOL_INDEX: lowerContraction,
  CONV_INPUT_GRAD: lowerContraction,
  CONV_WEIGHT_GRAD: lowerContraction,
  ROW_SUM: lowerRowSum,
  ROW_MAX: lowerRowMax,
  ADD: lowerAdd,
  RELU: lowerRelu,
  GATE: lowerGate,
  MAX_POOL: lowerMaxPool,
  MAX_POOL_INDEX: lowerMaxPoolIndex,
  MAX_POOL_GRAD: lowerMaxPoolGrad,
  AVERAGE_POOL: lowerAveragePool,
  AVERAGE_POOL_GRAD: lowerAveragePoolGrad,
  EXP: lowerExp,
  SOFTMAX_GRAD: lowerSoftmaxGrad,
  MSE_GRAD: lowerMseGrad,
  ACCUMULATE: lowerAccumulate,
  SGD_MOMENTUM: lowerSgdMomentum,
  SGD_WEIGHT: lowerSgdWeight,
};

/** Adds one node of a tape to the graph. `inputs` are the lowered inputs, in order. */
export function lowerNode(lowering: Lowering, node: TapeNode, inputs: readonly Value[]): Value {
  const lower = lowerings[node.opcode] as Lower<Opcode>;
  return lower(lowering, node, inputs);
}
