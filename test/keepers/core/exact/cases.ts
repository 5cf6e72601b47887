import { evaluateNode } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext } from "../../../../keepers/src/core/exact/ops/types.ts";
import type {
  MantissaBits,
  Opcode,
  TapeNode,
  Tensor,
} from "../../../../keepers/src/core/exact/tape/types.ts";
import { dataCases } from "./cases-data.ts";
import { denseCases } from "./cases-dense.ts";
import { Random } from "./cases-random.ts";
import { windowCases } from "./cases-window.ts";

/** A node by itself with everything it reads. Inputs are numbered 0, 1, … */
export type OperationCase = {
  readonly bits: MantissaBits;
  /** N. */
  readonly microBatch: number;
  readonly node: TapeNode;
  readonly inputs: readonly Tensor[];
  /** INPUT: N objects. */
  readonly objects?: readonly Uint8Array[];
  /** LOAD: the slot's tensor. */
  readonly slot?: Tensor;
  /** ACCUMULATE: the gradient in each of the M micro-batches. */
  readonly gradients?: readonly Tensor[];
  /** SGD_WEIGHT: LR. */
  readonly learningRate?: number;
};

export type EvaluatedCase = OperationCase & { readonly expected: Tensor };

/** What the reference needs besides the inputs. */
export function contextOf(operationCase: OperationCase): OperationContext {
  const { bits, microBatch, objects, slot, gradients, learningRate } = operationCase;
  return {
    bits,
    microBatch,
    object: objects && ((row) => objects[row]!),
    slot: slot && (() => readerOf(slot)),
    gradients: gradients && (() => gradients.map(readerOf)),
    learningRate,
  };
}

export type CaseGenerator = (
  random: Random,
  bits: MantissaBits,
  microBatch: number,
) => Omit<OperationCase, "bits" | "microBatch">;

const generators: { readonly [O in Opcode]: CaseGenerator } = { ...dataCases, ...denseCases, ...windowCases };

/**
 * `count` cases of an opcode, the same ones for the same seed: both profiles, random shapes, attributes and optional
 * inputs, exponents close and far apart, edge values.
 */
export function generateCases(opcode: Opcode, seed: number, count: number): EvaluatedCase[] {
  const random = new Random(seed, opcode);
  return Array.from({ length: count }, (_, i) => {
    // SOFTMAX_GRAD without Q exists in E16 alone, and its generator says so itself.
    const bits: MantissaBits = i % 2 === 0 ? 8 : 16;
    const microBatch = random.pick([1, 2, 4]);
    const made = { bits, microBatch, ...generators[opcode](random, bits, microBatch) };
    return { ...made, expected: evaluateNode(contextOf(made), made.node, made.inputs) };
  });
}
