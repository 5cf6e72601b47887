import type { Address, Hex } from "viem";
import { BadInputError } from "../../core/errors.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import type { Conditions } from "../../core/market/types.ts";
import type { LoadedConfig } from "../../training/config/load-config.ts";
import { resolveRecipe } from "../../training/config/resolve.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import type { Executor } from "../../training/executors/types.ts";
import { measureInterval } from "../../training/trainer/new-run.ts";
import { type Prepared, prepare } from "../../training/trainer/prepare.ts";
import { leastInterval } from "../jobs/job-size.ts";
import { type DisputeClocks, measuredSpacing } from "../jobs/move-time.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import { composeOrder, type DescribedOrder, mostSteps } from "./compose-order.ts";

export { type DescribedOrder, defaultConditions, mostInstalments } from "./compose-order.ts";

export type DescribeParameters = {
  readonly consumer: Address;
  readonly config: LoadedConfig;
  /** The anchored dataset, opened: the configuration is read with what it says about its records. */
  readonly dataset: ObjectSequence;
  /** The anchored dataset that holds the ONNX file, where the configuration names one. */
  readonly modelId?: Hex;
  /** Folder for objects that memory does not hold. */
  readonly folder: string;
  /** Measures the interval, where the configuration leaves it open. */
  readonly executor: Executor;
  /** What the order pays, and what bids must meet; all of it by default as {@link defaultConditions} says. */
  readonly conditions: Pick<Conditions, "maximumPrice"> & Partial<Conditions>;
  /** Seconds since 1970. */
  readonly expiry: bigint;
  /** Holds the order against the clocks of disputes; nothing is said about it by default. */
  readonly disputes?: {
    readonly clocks: DisputeClocks;
    /** Is told why nobody with a machine like this one could dispute the order in time: a provider will not bid for it. */
    readonly onProblem: (problem: string) => void;
  };
  readonly signal?: AbortSignal;
};

/**
 * Makes an order of a training configuration and a stored dataset: compiles the program, counts steps, and writes down what
 * everybody else needs to do the same.
 *
 * @throws TrainingConfigError, DatasetError, BadInputError for what no order can say
 */
export async function describeOrder(parameters: DescribeParameters): Promise<DescribedOrder> {
  const { consumer, config, dataset, folder, conditions, expiry, signal } = parameters;
  if (dataset.datasetId === undefined)
    throw new BadInputError("Only a dataset that is anchored can be ordered on.");
  const recipe = resolveRecipe(config, dataset);
  const prepared = await prepare({ config, folder, open: async () => dataset, signal });
  try {
    const trainingOrder = { ...prepared.order, interval: await intervalFor(parameters, prepared) };
    await tellProblem(parameters, prepared, trainingOrder);
    return composeOrder({
      consumer,
      datasetId: dataset.datasetId,
      recipe,
      modelId: parameters.modelId,
      program: prepared.compiled.program,
      trainingOrder,
      conditions,
      expiry,
    });
  } finally {
    await prepared.close();
  }
}

/** An order that cannot be disputed is bid for by nobody, and what comes of it all the same is worth nobody's word. */
async function tellProblem(
  { executor, disputes, signal }: DescribeParameters,
  { compiled, options, source }: Prepared,
  order: TrainingOrder,
): Promise<void> {
  if (disputes === undefined) return;
  const job = { compiled, options, source, order };
  const parameters = {
    ...{ order, program: compiled.program, clocks: disputes.clocks },
    secondsPerStep: await secondsPerStep(executor, job, signal),
    // Whoever trains it sees to the room.
    room: Number.POSITIVE_INFINITY,
  };
  const { problem } = await measuredSpacing(executor, job, parameters, signal);
  if (problem !== undefined) disputes.onProblem(problem);
}

async function intervalFor({ config, executor }: DescribeParameters, prepared: Prepared): Promise<number> {
  const { steps } = prepared.order;
  if (config.interval !== "auto") {
    if (config.interval <= mostSteps) return Math.min(config.interval, steps);
    throw new BadInputError(
      `The key interval is refused: a job has ${mostSteps} steps at most between two leaves.`,
    );
  }
  const session = await executor.open(prepared.compiled.program, prepared.options);
  try {
    const measured = Math.max(await measureInterval(prepared, session), leastInterval(steps));
    return Math.min(measured, mostSteps, steps);
  } finally {
    await session.close();
  }
}
