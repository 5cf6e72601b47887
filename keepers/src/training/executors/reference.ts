import { runMicroBatch, runStep } from "../../core/exact/ops/step.ts";
import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import { checkObjects, checkOptions, checkState, checkStep } from "./check.ts";
import { EngineError } from "./errors.ts";
import type { Executor, ExecutorOptions, StepOutput } from "./types.ts";

const name = "reference";

/** The definition itself, in `bigint`: slow, for disputes and tests. Threads and optimisation do not apply. */
export const referenceExecutor: Executor = {
  name,
  async open(program, options) {
    checkOptions(program, options);
    let state: readonly Int32Array[] | undefined;
    const current = () => {
      if (state === undefined) throw new EngineError(name, "no state was set");
      return state;
    };
    return {
      program,
      async setState(next) {
        checkState(program, next);
        state = copied(next);
      },
      async run(steps) {
        let next = current();
        for (const step of steps) checkStep(program, options, step);
        const outputs: StepOutput[] = [];
        for (const { objects, learningRate } of steps) {
          const { objectBytes } = options;
          const result = runStep({ program, state: next, objects, objectBytes, learningRate });
          next = result.state;
          outputs.push({ witness: result.microBatches.at(-1)![program.witness]! });
        }
        state = next;
        return outputs;
      },
      async getState() {
        return copied(current());
      },
      async close() {
        state = undefined;
      },
    };
  },
  async openTrace(program, options) {
    checkOptions(program, options);
    return {
      trace: async (state, objects) => [...microBatch(program, state, objects, options)],
      close: () => Promise.resolve(),
    };
  },
  async predict(program, state, objects, options) {
    checkOptions(program, options);
    const [tape, ...others] = program.tapes;
    const forward: Program = { ...program, tapes: [tape.slice(0, program.witness + 1), ...others] };
    return microBatch(forward, state, objects, options).at(-1)!;
  },
};

function microBatch(
  program: Program,
  state: readonly Int32Array[],
  objects: Uint8Array,
  options: ExecutorOptions,
): readonly Tensor[] {
  const { objectBytes } = options;
  checkState(program, state);
  checkObjects(program, objects, objectBytes, 1);
  return runMicroBatch({ program, state, objects, objectBytes, learningRate: 0 }, 0).tensors;
}

function copied(state: readonly Int32Array[]): Int32Array[] {
  return state.map((values) => values.slice());
}
