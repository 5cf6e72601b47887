import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import type { Executor } from "../../training/executors/types.ts";
import { readSteps } from "../../training/trainer/batches.ts";
import { measureCosts, mostStepsMeasured } from "../../training/trainer/measure.ts";
import type { OpenJob } from "./job-program.ts";

/** Seconds after which no further round is measured, and that a round is to take at most. */
const mostSeconds = 10;
/** Micro-batches of a step that are computed to measure it: an order may ask for a million, and a step cannot be interrupted. */
const mostMicroBatches = 16;
/** Steps of a round. */
const stepsOfRound = 3;

/**
 * Seconds that a step of a job takes on this machine, measured by a few, or by a part of each where they are very large. Whoever
 * orders a job chooses how long a micro-batch takes, too: where one takes long no more than three are computed, and of a job of few
 * no more than one.
 *
 * @throws the reason of the signal
 */
export async function secondsPerStep(
  executor: Executor,
  job: MeasuredJob,
  signal?: AbortSignal,
): Promise<number> {
  const { microBatches, steps } = job.order;
  const alone = await secondsOf(executor, job, 1, signal);
  if (steps * microBatches <= mostStepsMeasured) return alone * microBatches;
  const few = Math.min(microBatches, mostMicroBatches);
  if (stepsOfRound * few * alone > mostSeconds) {
    const next = microBatches === 1 ? alone : await secondsOf(executor, job, 2, signal);
    return alone + (microBatches - 1) * Math.max(0, next - alone);
  }
  const { program } = job.compiled;
  const session = await executor.open(program, { ...job.options, microBatches: few });
  try {
    signal?.throwIfAborted();
    const state = initialState(program, job.order.seed);
    const { step } = await measureCosts(session, program, state, [await inputOf(job, few)], mostSeconds);
    return (step * microBatches) / few;
  } finally {
    await session.close();
  }
}

/** What is measured of a job. */
export type MeasuredJob = Pick<OpenJob, "compiled" | "options" | "source"> & {
  readonly order: Omit<OpenJob["order"], "interval">;
};

/** Seconds that a step of so many micro-batches takes, by one. */
async function secondsOf(
  executor: Executor,
  job: MeasuredJob,
  microBatches: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { program } = job.compiled;
  const session = await executor.open(program, { ...job.options, microBatches });
  try {
    await session.setState(initialState(program, job.order.seed));
    const input = await inputOf(job, microBatches);
    signal?.throwIfAborted();
    const began = performance.now();
    await session.run([input]);
    return (performance.now() - began) / 1000;
  } finally {
    await session.close();
  }
}

/** What the first step reads, as far as so many micro-batches of it go. */
export async function inputOf({ order, source }: MeasuredJob, microBatches: number) {
  const [objects] = await readSteps(
    { source, order: samplesOf({ ...order, microBatches, interval: 1 }) },
    0,
    1,
  );
  return { objects: objects!, learningRate: order.schedule.table[0]! };
}
