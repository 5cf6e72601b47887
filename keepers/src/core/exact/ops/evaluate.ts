import { requantizeShift, rnd, saturatingShift } from "../format.ts";
import type { TapeNode, Tensor } from "../tape/types.ts";
import { maximum } from "./arithmetic.ts";
import { operationOf } from "./table.ts";
import { elementCount, newMantissas, readerOf } from "./tensor.ts";
import type { Accumulator, Finish, OperationContext, TensorReader } from "./types.ts";

/** The exact value of output element `index` before its finish, from what the inputs' readers hold. */
export function elementOf(
  context: OperationContext,
  node: TapeNode,
  inputs: readonly TensorReader[],
  index: number,
): Accumulator {
  return operationOf(node.opcode).element(context, node, inputs, index);
}

/** Terms of the sum of one output element; 0 where the opcode is no sum. */
export function termsOf(context: OperationContext, node: TapeNode, inputs: readonly TensorReader[]): number {
  const layouts = inputs.map((input) => input.layout);
  return operationOf(node.opcode).sums?.terms(context, node, layouts) ?? 0;
}

/** Sums of one output element: the pixels of a block where a convolution pools, 1 elsewhere. */
export function candidatesOf(node: TapeNode): number {
  const pools = node.opcode === "CONV" || node.opcode === "CONV_POOL_INDEX";
  return pools ? node.attributes.pool ** 2 : 1;
}

/**
 * Sum of the terms [from, to) of an output element in the canonical order, before bias, division, gate and relu.
 *
 * @param candidate which of the `candidatesOf` sums
 */
export function partialSum(
  context: OperationContext,
  node: TapeNode,
  inputs: readonly TensorReader[],
  index: number,
  candidate: number,
  from: number,
  to: number,
): bigint {
  const { sums } = operationOf(node.opcode);
  if (sums === undefined) throw new TypeError(`${node.opcode} is no sum`);
  return sums.partial(context, node, inputs, index, candidate, from, to);
}

/** How accumulators of a node become mantissas. */
export function finishOf(node: TapeNode): Finish {
  return operationOf(node.opcode).finish(node);
}

/**
 * A node's whole output tensor.
 *
 * @param inputs tensors of the node's inputs, in order; the tape they come from is valid (`validateProgram`)
 */
export function evaluateNode(context: OperationContext, node: TapeNode, inputs: readonly Tensor[]): Tensor {
  const operation = operationOf(node.opcode);
  const readers = inputs.map(readerOf);
  const accumulators: bigint[] = [];
  let exponent = 0;
  let largest = 0n;
  for (let index = 0; index < elementCount(node.output); index++) {
    const element = operation.element(context, node, readers, index);
    accumulators.push(element.accumulator);
    exponent = element.exponent;
    largest = maximum(largest, element.accumulator < 0n ? -element.accumulator : element.accumulator);
  }
  const finish = operation.finish(node);
  const mantissas = newMantissas(node.output);
  const write = (mantissaOf: (accumulator: bigint) => bigint, at: number): Tensor => {
    for (const [index, accumulator] of accumulators.entries())
      mantissas[index] = Number(mantissaOf(accumulator));
    return { layout: node.output, exponent: at, mantissas };
  };
  if (finish.kind === "fixed") {
    return write((accumulator) => saturatingShift(accumulator, finish.exponent - exponent), finish.exponent);
  }
  if (finish.kind === "exact") return write((accumulator) => accumulator, exponent);
  const s = requantizeShift(largest, exponent, context.bits);
  return write((accumulator) => rnd(accumulator, s), exponent + s);
}
