import type { Program } from "../../core/exact/tape/types.ts";
import type { StepInput, TrainingSession } from "../executors/types.ts";
import { RunHasher } from "../trace/commitments.ts";
import type { IntervalCosts } from "./interval.ts";

/** Rounds at most, of which the quickest counts: the machine does other things as well. */
const rounds = 5;
const stepsPerRound = 3;
/** Steps that measuring takes at most. */
export const mostStepsMeasured = rounds * stepsPerRound;

export type MeasureOptions = {
  /** Seconds after which no further round begins. */
  readonly mostSeconds?: number;
  /** Steps that the engine is given at once, at most; a few by default. */
  readonly stepsAtOnce?: number;
};

/**
 * Measures what a step and hashing cost here; the session's state is another one afterwards.
 *
 * @param inputs at least one step; they are used over and over
 */
export async function measureCosts(
  session: TrainingSession,
  program: Program,
  state: readonly Int32Array[],
  inputs: readonly StepInput[],
  { mostSeconds = Number.POSITIVE_INFINITY, stepsAtOnce = stepsPerRound }: MeasureOptions = {},
): Promise<IntervalCosts> {
  const count = Math.min(stepsPerRound, stepsAtOnce);
  const batch = Array.from({ length: count }, (_, i) => inputs[i % inputs.length]!);
  const hasher = new RunHasher(program);
  await session.setState(state);
  const best = {
    step: Number.POSITIVE_INFINITY,
    state: Number.POSITIVE_INFINITY,
    witness: Number.POSITIVE_INFINITY,
  };
  const until = performance.now() + mostSeconds * 1000;
  for (let round = 0; round < rounds && (round === 0 || performance.now() < until); round++) {
    const began = performance.now();
    const outputs = await session.run(batch);
    const ran = performance.now();
    hasher.state(await session.getState());
    const hashed = performance.now();
    for (const { witness } of outputs) hasher.witness(witness);
    const ended = performance.now();
    best.step = Math.min(best.step, (ran - began) / count / 1000);
    best.state = Math.min(best.state, (hashed - ran) / 1000);
    best.witness = Math.min(best.witness, (ended - hashed) / count / 1000);
  }
  return best;
}
