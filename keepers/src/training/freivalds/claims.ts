import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import { elementCount } from "../onnx/types.ts";
import type { HandedSums } from "./contractions.ts";
import type { NodeName, StepClaim, SumArray, Verdict } from "./types.ts";

/** Comparisons of what a provider claims with what must be. Each gives the first refusal, or nothing. */

export type Refusal = Extract<Verdict, { ok: false }>;

/** @param tape of the node; `microBatch` for tape 0 */
export function refusal(
  program: Program,
  tape: 0 | 1 | 2,
  index: number,
  reason: string,
  microBatch?: number,
): Refusal {
  const { opcode } = program.tapes[tape][index]!;
  const node: NodeName = { tape, index, opcode, ...(microBatch === undefined ? {} : { microBatch }) };
  return { ok: false, node, reason };
}

/** Sums that are missing, of another length, no whole numbers, or beyond what the node can give. */
export function refuseSums(
  program: Program,
  sums: readonly HandedSums[],
  { accumulators }: Pick<StepClaim, "accumulators">,
  microBatches: number,
): Refusal | undefined {
  for (let j = 0; j < microBatches; j++) {
    for (const [i, expected] of sums.entries()) {
      const reason = wrongSums(expected, accumulators[j]?.[i]);
      if (reason !== undefined) return refusal(program, 0, expected.index, reason, j);
    }
  }
  return undefined;
}

function wrongSums({ shape, bound }: HandedSums, values: SumArray | undefined): string | undefined {
  const count = elementCount(shape);
  if (values?.length !== count) return `${values?.length ?? "no"} sums were handed over, not ${count}`;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (!(Math.abs(value) <= bound)) return `sum ${i} is ${value}, outside ±${bound}`;
    if (!Number.isInteger(value)) return `sum ${i} is ${value}, no whole number`;
  }
  return undefined;
}

/** The first difference of a claimed tensor from the right one. */
export function wrongTensor(right: Tensor, claimed: Tensor | undefined): string | undefined {
  if (claimed === undefined) return "the tensor is missing";
  if (claimed.exponent !== right.exponent) {
    return `the exponent is ${claimed.exponent}, not ${right.exponent}`;
  }
  return firstDifference(right.mantissas, claimed.mantissas, "mantissa");
}

/** Compares the state after the step; a slot that no node stores must stay as it was. */
export function refuseState(
  program: Program,
  right: readonly Int32Array[],
  claimed: readonly Int32Array[],
): Refusal | undefined {
  for (const [index, node] of program.tapes[2].entries()) {
    if (node.opcode !== "STORE" || node.attributes.space !== spaces.state) continue;
    const { slot } = node.attributes;
    const reason = firstDifference(right[slot]!, claimed[slot], `${program.state[slot]!.name}: element`);
    if (reason !== undefined) return refusal(program, 2, index, reason);
  }
  return undefined;
}

function firstDifference(
  right: ArrayLike<number>,
  claimed: ArrayLike<number> | undefined,
  what: string,
): string | undefined {
  if (claimed?.length !== right.length) {
    return `${claimed?.length ?? "no"} elements were claimed, not ${right.length}`;
  }
  for (let i = 0; i < right.length; i++) {
    if (claimed[i] !== right[i]) return `${what} ${i} is ${claimed[i]}, not ${right[i]}`;
  }
  return undefined;
}
