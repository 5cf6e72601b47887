import { initialState } from "../../core/exact/random/initialize.ts";
import { bytesOfDisputes } from "../../training/dispute/dispute-memory.ts";
import { mostMicroBatchesMeasured, secondsOfDisputedStep } from "../../training/dispute/step-measure.ts";
import { secondsOfWitness } from "../../training/dispute/witness-time.ts";
import { estimateMemory } from "../../training/executors/memory.ts";
import type { Executor } from "../../training/executors/types.ts";
import { inputOf, type MeasuredJob } from "./step-time.ts";

/** What the moves of disputes over a job take on this machine, besides the steps before the one in dispute. */
export type MoveCost = {
  /** M: what whoever orders a job chooses most freely. */
  readonly microBatches: number;
  /** Seconds for the tensors of the step, and their commitments. */
  readonly stepSeconds: number;
  /** Seconds for the element that defends an exponent. */
  readonly witnessSeconds: number;
  /** Bytes in all. */
  readonly bytes: number;
  /** Bytes that they may take; no limit where it is left out. */
  readonly mostBytes?: number | undefined;
};

/**
 * Measures what a dispute over a job takes: the time by a few micro-batches and a part of the weights, the memory by the
 * program. Measuring takes as long as one micro-batch does, and a few seconds.
 *
 * @throws the reason of the signal; what the engine throws
 */
export async function moveCostOf(
  executor: Executor,
  job: MeasuredJob,
  signal?: AbortSignal,
): Promise<MoveCost> {
  const { microBatches, seed } = job.order;
  const { program } = job.compiled;
  const bytes = estimateMemory(program, job.options).total + bytesOfDisputes(program, microBatches);
  const few = Math.min(microBatches, mostMicroBatchesMeasured);
  const options = { ...job.options, microBatches: few };
  const input = await inputOf(job, few);
  signal?.throwIfAborted();
  const state = initialState(program, seed);
  const stepSeconds = await secondsOfDisputedStep(
    { executor, program, options, state, input, signal },
    microBatches,
  );
  const { memoryLimit: mostBytes } = job.options;
  return { microBatches, stepSeconds, witnessSeconds: secondsOfWitness(program), bytes, mostBytes };
}

/**
 * Why moves that may take so many seconds cannot be computed here; undefined when they can. Steps before the one in dispute
 * are not reckoned with.
 */
export function problemOfCost(
  { microBatches, stepSeconds, witnessSeconds, bytes, mostBytes = Number.POSITIVE_INFINITY }: MoveCost,
  mostSeconds: number,
): string | undefined {
  const may = `a move of a dispute is to take ${Math.floor(mostSeconds)} s`;
  if (witnessSeconds > mostSeconds) {
    return `defending the exponent of its largest tensor may take ${Math.ceil(witnessSeconds)} s: ${may}`;
  }
  if (stepSeconds + witnessSeconds > mostSeconds) {
    const takes = `a step in dispute takes ${Math.ceil(stepSeconds + witnessSeconds)} s here`;
    return `${takes}, of ${microBatches} micro-batches: ${may}; with fewer micro-batches it takes less`;
  }
  if (bytes > mostBytes) {
    const [takes, most] = [bytes, mostBytes].map((each) => `${Math.ceil(each / 2 ** 20)} MiB`);
    return `a dispute takes ${takes} of memory here, of ${microBatches} micro-batches a step: it may take ${most}; with fewer micro-batches it takes less`;
  }
  return undefined;
}
