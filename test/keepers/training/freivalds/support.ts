import { runStep, type StepResult } from "../../../../keepers/src/core/exact/ops/step.ts";
import type { Program, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { StepInput } from "../../../../keepers/src/training/executors/types.ts";
import { handedSums } from "../../../../keepers/src/training/freivalds/contractions.ts";
import { accumulatorsOf } from "../../../../keepers/src/training/freivalds/provide.ts";
import type { Accumulators, StepClaim } from "../../../../keepers/src/training/freivalds/types.ts";
import { type Fixture, fixture } from "../executors/support.ts";

/** A step as an honest provider claims it; tensors and state are those of the bigint reference. */
export type HonestStep = {
  readonly program: Program;
  readonly objectBytes: number;
  readonly microBatches: number;
  readonly state: Int32Array[];
  readonly input: StepInput;
  readonly claim: Required<StepClaim>;
};

export async function honestStep(
  name: Parameters<typeof fixture>[0],
  bits: 8 | 16,
  microBatch: number,
  microBatches = 1,
): Promise<HonestStep> {
  const { program, objectBytes, state, steps }: Fixture = fixture(name, bits, microBatch);
  const [input] = steps(1, microBatches) as [StepInput];
  const expected: StepResult = runStep({ program, state, objectBytes, ...input });
  const accumulators = await accumulatorsOf(program, state, input.objects, { objectBytes, microBatches });
  const claim = { accumulators, tensors: expected.microBatches, stateAfter: expected.state };
  return { program, objectBytes, microBatches, state, input, claim };
}

export function seedOf(value: number): Uint8Array {
  return new Uint8Array(32).fill(value);
}

/** Accumulators of which one sum, or more, of one contraction is changed. */
export function changed(
  accumulators: Accumulators,
  microBatch: number,
  contraction: number,
  changes: ReadonlyMap<number, number>,
): Accumulators {
  return accumulators.map((arrays, j) =>
    arrays.map((values, i) => {
      if (j !== microBatch || i !== contraction) return values;
      const copy = values.slice();
      for (const [at, by] of changes) copy[at]! += by;
      return copy;
    }),
  );
}

/** Position of a node's sums among those handed over. */
export function contractionOf(program: Program, opcode: string, last = false): number {
  const sums = handedSums(program);
  const matches = ({ node }: (typeof sums)[number]) => node.opcode === opcode;
  return last ? sums.findLastIndex(matches) : sums.findIndex(matches);
}

export function withMantissa(tensor: Tensor, at: number, by: number): Tensor {
  const mantissas = tensor.mantissas.slice();
  mantissas[at]! += by;
  return { ...tensor, mantissas };
}
