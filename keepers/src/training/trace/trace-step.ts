import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import type { Executor, ExecutorOptions, StepInput } from "../executors/types.ts";
import { endOfStep, GradientSums } from "./end-of-step.ts";
import type { StepTensors } from "./place.ts";

export { storeNode } from "./end-of-step.ts";

export type TraceStepParameters = {
  readonly executor: Executor;
  readonly program: Program;
  readonly options: ExecutorOptions;
  /** The state before the step. */
  readonly state: readonly Int32Array[];
  readonly input: StepInput;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Every tensor of a step, all in memory: tape 0 from the executor's open graph, tapes 1 and 2 in integers.
 *
 * @throws the reason of the signal; what the engine throws
 */
export async function traceStep(parameters: TraceStepParameters): Promise<StepTensors> {
  const microBatches: Tensor[][] = [];
  const end = await traceThrough(parameters, (tensors) => {
    microBatches.push(tensors);
  });
  return { microBatches, ...end };
}

/**
 * Traces a step without keeping tape 0: its tensors are handed over micro-batch by micro-batch.
 *
 * @returns the tensors of tapes 1 and 2, by node
 * @throws the reason of the signal, between two micro-batches; what the engine throws
 */
export async function traceThrough(
  parameters: TraceStepParameters,
  take: (tensors: Tensor[], microBatch: number) => void,
): Promise<Pick<StepTensors, "reduction" | "optimizer">> {
  const { program, options, state, input } = parameters;
  const gradients = new GradientSums(program);
  await traceMicroBatches(parameters, (tensors, j) => {
    gradients.add(tensors);
    take(tensors, j);
  });
  const { microBatches } = options;
  return await endOfStep({ program, state, gradients, microBatches, learningRate: input.learningRate });
}

/**
 * Hands the tensors of tape 0 over, micro-batch by micro-batch, and keeps none. One session of the engine computes them all.
 *
 * @param wanted micro-batches that are computed; all of the step by default
 * @throws the reason of the signal, between two micro-batches; what the engine throws
 */
export async function traceMicroBatches(
  { executor, program, options, state, input: { objects }, signal }: TraceStepParameters,
  take: (tensors: Tensor[], microBatch: number) => void,
  wanted: Iterable<number> = Array(options.microBatches).keys(),
): Promise<void> {
  const batchBytes = program.microBatch * options.objectBytes;
  const session = await executor.openTrace(program, options);
  try {
    for (const j of wanted) {
      signal?.throwIfAborted();
      take(await session.trace(state, objects.subarray(j * batchBytes, (j + 1) * batchBytes)), j);
    }
  } finally {
    await session.close();
  }
}
