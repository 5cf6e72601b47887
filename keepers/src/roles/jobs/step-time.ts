import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import type { Executor, StepOutput, TrainingSession } from "../../training/executors/types.ts";
import { readSteps } from "../../training/trainer/batches.ts";
import { measureCosts, mostStepsMeasured } from "../../training/trainer/measure.ts";
import { secondsBesideEngine } from "../../training/trainer/overhead.ts";
import type { OpenJob } from "./job-program.ts";

/** Seconds after which no further round is measured, and that a round is to take at most. */
const mostSeconds = 10;
/** Micro-batches of a step that are computed to measure it: an order may ask for a million, and a step cannot be interrupted. */
const mostMicroBatches = 16;
/** Steps of a round. */
const stepsOfRound = 3;

/**
 * Seconds that a step of a job takes on this machine, in the engine and beside it, measured by a few, or by a part of each where
 * they are very large. Whoever orders a job chooses how long a micro-batch takes, too: where one takes long no more than three are computed, and of a job of few
 * no more than one.
 *
 * @throws the reason of the signal
 */
export async function secondsPerStep(
  executor: Executor,
  job: MeasuredJob,
  signal?: AbortSignal,
): Promise<number> {
  const { seconds, beside } = await measureOne(executor, job, signal);
  return beside + (await engineSeconds(executor, job, seconds, signal));
}

/** Seconds that a step takes in the engine, where one of a single micro-batch takes `alone`. */
async function engineSeconds(
  executor: Executor,
  job: MeasuredJob,
  alone: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { microBatches, steps, interval } = job.order;
  if (steps * microBatches <= mostStepsMeasured) return alone * microBatches;
  const few = Math.min(microBatches, mostMicroBatches);
  if (stepsOfRound * few * alone > mostSeconds) {
    const next = microBatches === 1 ? alone : await secondsOfTwo(executor, job, signal);
    return alone + (microBatches - 1) * Math.max(0, next - alone);
  }
  const { program } = job.compiled;
  const session = await executor.open(program, { ...job.options, microBatches: few });
  try {
    signal?.throwIfAborted();
    const state = initialState(program, job.order.seed);
    // The engine is given no more steps at once than there are to the end of an interval.
    const most = { mostSeconds, stepsAtOnce: interval };
    const { step } = await measureCosts(session, program, state, [await inputOf(job, few)], most);
    return (step * microBatches) / few;
  } finally {
    await session.close();
  }
}

/** What is measured of a job. */
export type MeasuredJob = Pick<OpenJob, "compiled" | "options" | "source" | "order">;

/** Seconds that a step of one micro-batch takes in the engine, and a whole step beside it. */
function measureOne(executor: Executor, job: MeasuredJob, signal: AbortSignal | undefined) {
  return withStep(executor, job, 1, signal, async (session, seconds, { witness }) => {
    const { order, source, compiled } = job;
    signal?.throwIfAborted();
    const { program } = compiled;
    return { seconds, beside: await secondsBesideEngine({ program, order, source, session, witness }) };
  });
}

function secondsOfTwo(
  executor: Executor,
  job: MeasuredJob,
  signal: AbortSignal | undefined,
): Promise<number> {
  return withStep(executor, job, 2, signal, async (_, seconds) => seconds);
}

/** Runs one step of so many micro-batches in a session of its own, and says how long it took. */
async function withStep<T>(
  executor: Executor,
  job: MeasuredJob,
  microBatches: number,
  signal: AbortSignal | undefined,
  work: (session: TrainingSession, seconds: number, output: StepOutput) => Promise<T>,
): Promise<T> {
  const { program } = job.compiled;
  const session = await executor.open(program, { ...job.options, microBatches });
  try {
    await session.setState(initialState(program, job.order.seed));
    const input = await inputOf(job, microBatches);
    signal?.throwIfAborted();
    const began = performance.now();
    const [output] = await session.run([input]);
    return await work(session, (performance.now() - began) / 1000, output!);
  } finally {
    await session.close();
  }
}

/** What the first step reads, as far as so many micro-batches of it go. */
export async function inputOf({ order, source }: MeasuredJob, microBatches: number) {
  const [objects] = await readSteps({ source, order: samplesOf({ ...order, microBatches }) }, 0, 1);
  return { objects: objects!, learningRate: order.schedule.table[0]! };
}
