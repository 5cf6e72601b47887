import { runTape, stateTensors } from "../../core/exact/ops/step.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import type { Executor, ExecutorOptions, StepInput } from "../executors/types.ts";
import type { StepTensors } from "./place.ts";

export type TraceStepParameters = {
  readonly executor: Executor;
  readonly program: Program;
  readonly options: ExecutorOptions;
  /** The state before the step. */
  readonly state: readonly Int32Array[];
  readonly input: StepInput;
  readonly signal?: AbortSignal;
};

/** Every tensor of a step: tape 0 from the executor's open graph, tapes 1 and 2 by the definition. */
export async function traceStep({
  executor,
  program,
  options,
  state,
  input,
}: TraceStepParameters): Promise<StepTensors> {
  const { bits, microBatch } = program;
  const microBatches: Tensor[][] = [];
  await traceMicroBatches({ executor, program, options, state, input }, (tensors) => {
    microBatches.push(tensors);
  });
  const reduction = runTape(
    {
      bits,
      microBatch,
      gradients: (slot) => microBatches.map((tensors) => readerOf(storedGradient(program, tensors, slot))),
    },
    program.tapes[1],
  );
  const slots = stateTensors(program, state);
  const optimizer = runTape(
    {
      bits,
      microBatch,
      slot: (space, slot) => readerOf(space === spaces.state ? slots[slot]! : reduction.stored.get(slot)!),
      learningRate: input.learningRate,
    },
    program.tapes[2],
  );
  return { microBatches, reduction: reduction.tensors, optimizer: optimizer.tensors };
}

/**
 * Hands the tensors of tape 0 over, micro-batch by micro-batch, and keeps none. One session of the engine computes them all.
 *
 * @param only the micro-batches that are wanted, in order; all of the step by default
 * @throws the reason of the signal, between two micro-batches; what the engine throws
 */
export async function traceMicroBatches(
  { executor, program, options, state, input: { objects }, signal }: TraceStepParameters,
  take: (tensors: Tensor[], microBatch: number) => void,
  only: Iterable<number> = Array(options.microBatches).keys(),
): Promise<void> {
  const batchBytes = program.microBatch * options.objectBytes;
  const session = await executor.openTrace(program, options);
  try {
    for (const j of only) {
      signal?.throwIfAborted();
      take(await session.trace(state, objects.subarray(j * batchBytes, (j + 1) * batchBytes)), j);
    }
  } finally {
    await session.close();
  }
}

/** What tape 0 stored as gradient of a slot. */
function storedGradient({ tapes }: Program, tensors: readonly Tensor[], slot: number): Tensor {
  return tensors[storeNode(tapes[0], spaces.microBatchGradient, slot)]!;
}

/** The node that stores a slot. */
export function storeNode(tape: Program["tapes"][number], space: number, slot: number): number {
  return tape.findIndex(
    ({ opcode, attributes }) =>
      opcode === "STORE" &&
      (attributes as { space: number; slot: number }).space === space &&
      (attributes as { space: number; slot: number }).slot === slot,
  );
}
