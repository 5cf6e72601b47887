/** One step of LeNet-5, and where each of its opcodes is. */
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../../../keepers/src/core/exact/schedule.ts";
import { spaces } from "../../../../keepers/src/core/exact/tape/types.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { storeNode, traceStep } from "../../../../keepers/src/training/trace/trace-step.ts";
import { type Job, Story } from "./story.ts";

/** One step from the first weights, told as another step of the run. */
export async function storyOf(job: Job, step: number): Promise<Story> {
  const { program, order } = job;
  const state = initialState(program, order.seed);
  const rows = Array.from({ length: 64 }, (_, row) => job.objects[job.objectAt(step, 0, row)]!);
  const objects = new Uint8Array(rows.flatMap((row) => [...row]));
  const traced = await traceStep({
    executor: nativeExecutor,
    program,
    options: { objectBytes: order.objectBytes, microBatches: 1 },
    state,
    input: { objects, learningRate: learningRateAt(order.schedule, step) },
  });
  const tensors = [...traced.microBatches[0]!, ...traced.reduction, ...traced.optimizer];
  const after = program.state.map((_, slot) =>
    Int32Array.from(traced.optimizer[storeNode(program.tapes[2], spaces.state, slot)]!.mantissas),
  );
  return Story.ofStep(job, { step, state, after, tensors });
}

/** The first place of every opcode. */
export function opcodePlaces({ places, program }: Job): Map<string, number> {
  const found = new Map<string, number>();
  for (const [place, { tape, node }] of places.entries()) {
    const { opcode } = program.tapes[tape][node]!;
    if (!found.has(opcode)) found.set(opcode, place);
  }
  return found;
}
