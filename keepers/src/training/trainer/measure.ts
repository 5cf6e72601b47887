import type { Program } from "../../core/exact/tape/types.ts";
import type { StepInput, TrainingSession } from "../executors/types.ts";
import { RunHasher } from "../trace/commitments.ts";
import type { IntervalCosts } from "./interval.ts";

/** Steps that warm the engine up, and steps that are timed. */
const warmUp = 2;
const timed = 6;

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
): Promise<IntervalCosts> {
  const take = (count: number) => Array.from({ length: count }, (_, i) => inputs[i % inputs.length]!);
  const hasher = new RunHasher(program);
  await session.setState(state);
  const [first] = await session.run(take(warmUp));
  hasher.state(await session.getState());
  hasher.witness(first!.witness);
  const began = performance.now();
  const outputs = await session.run(take(timed));
  const ran = performance.now();
  hasher.state(await session.getState());
  const hashed = performance.now();
  for (const { witness } of outputs) hasher.witness(witness);
  const ended = performance.now();
  return {
    step: (ran - began) / timed / 1000,
    state: (hashed - ran) / 1000,
    witness: (ended - hashed) / timed / 1000,
  };
}
