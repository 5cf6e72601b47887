import type { Program } from "../../core/exact/tape/types.ts";
import { checkState, checkStep } from "./check.ts";
import { EngineError } from "./errors.ts";
import { fastPlan } from "./fast-plan.ts";
import { openPlan } from "./open-plan.ts";
import type { Engine } from "./ort.ts";
import type { ExecutorOptions, StepInput, StepOutput, TrainingSession } from "./types.ts";

/** Graphs that make steps on a state of the engine's own form S; a state given is never changed. */
export type StepPlan<S> = {
  start(state: readonly Int32Array[]): S;
  run(state: S, inputs: readonly StepInput[]): Promise<{ state: S; outputs: StepOutput[] }>;
  /** Copies. */
  read(state: S): Int32Array[];
  close(): Promise<void>;
};

/** Trains by the fast graph where there is one for the program, otherwise by the open ones. */
export async function openTraining(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<TrainingSession> {
  const fast = await fastPlan(engine, program, options);
  return fast === undefined
    ? trainingSession(engine, program, options, await openPlan(engine, program, options))
    : trainingSession(engine, program, options, fast);
}

function trainingSession<S>(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
  plan: StepPlan<S>,
): TrainingSession {
  let kept: { state: S } | undefined;
  let running = false;

  const current = () => {
    if (kept === undefined) throw new EngineError(engine.name, "no state was set");
    return kept.state;
  };
  const checkIdle = () => {
    if (running) throw new EngineError(engine.name, "a run is under way");
  };
  return {
    program,
    async setState(next) {
      checkState(program, next);
      checkIdle();
      kept = { state: plan.start(next.map((values) => values.slice())) };
    },
    async run(inputs) {
      const state = current();
      for (const input of inputs) checkStep(program, options, input);
      checkIdle();
      running = true;
      try {
        const result = await plan.run(state, inputs);
        kept = { state: result.state };
        return result.outputs;
      } catch (cause) {
        throw new EngineError(engine.name, "a training step failed", {
          cause,
          kept: "The state of before the failed steps was kept.",
        });
      } finally {
        running = false;
      }
    },
    async getState() {
      return plan.read(current());
    },
    async close() {
      kept = undefined;
      await plan.close();
    },
  };
}
