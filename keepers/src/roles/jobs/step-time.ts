import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import type { Executor } from "../../training/executors/types.ts";
import { readSteps } from "../../training/trainer/batches.ts";
import { measureCosts } from "../../training/trainer/measure.ts";
import type { OpenJob } from "./job-program.ts";

/** Seconds after which no further round is measured. */
const mostSeconds = 10;
/** Micro-batches of a step that are computed to measure it: an order may ask for a million, and a step cannot be interrupted. */
const mostMicroBatches = 16;

/** Seconds that a step of a job takes on this machine, measured by a few, or by a part of each where they are very large. */
export async function secondsPerStep(
  executor: Executor,
  { compiled: { program }, order, source, options }: OpenJob,
): Promise<number> {
  const microBatches = Math.min(order.microBatches, mostMicroBatches);
  const session = await executor.open(program, { ...options, microBatches });
  try {
    const [objects] = await readSteps({ source, order: samplesOf({ ...order, microBatches }) }, 0, 1);
    const input = { objects: objects!, learningRate: order.schedule.table[0]! };
    const state = initialState(program, order.seed);
    const { step } = await measureCosts(session, program, state, [input], mostSeconds);
    return (step * order.microBatches) / microBatches;
  } finally {
    await session.close();
  }
}
