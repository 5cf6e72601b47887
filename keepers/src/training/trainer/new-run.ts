import type { LearningRecordDomain } from "../../core/exact/learning-record.ts";
import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import type { TrainingSession } from "../executors/types.ts";
import { readSteps } from "./batches.ts";
import { chooseInterval } from "./interval.ts";
import { measureCosts } from "./measure.ts";
import type { Prepared } from "./prepare.ts";
import { createRun, type RunFolder } from "./run-folder.ts";

/** Signatures of runs that no contract ordered. */
export const localDomain: LearningRecordDomain = {
  chainId: 0,
  verifyingContract: `0x${"00".repeat(20)}`,
};

export type NewRunParameters = {
  readonly path: string;
  readonly config: LoadedConfig;
  readonly prepared: Prepared;
  /** Measures what a step costs, where the configuration leaves the interval open; its state is another one afterwards. */
  readonly session: TrainingSession;
};

/**
 * Begins a run that no contract ordered.
 *
 * @throws RunFolderError when there are files in the folder, CannotWriteRunError
 */
export async function newRun({ path, config, prepared, session }: NewRunParameters): Promise<RunFolder> {
  const interval = config.interval === "auto" ? await measureInterval(prepared, session) : config.interval;
  return await createRun({
    path,
    program: prepared.compiled.program,
    order: { ...prepared.order, interval: Math.min(interval, prepared.order.steps) },
    domain: localDomain,
    config,
  });
}

/** Steps between two leaves of the trace with which hashing costs little, as measured here. */
export async function measureInterval(
  { compiled, order, source }: Prepared,
  session: TrainingSession,
): Promise<number> {
  const { program } = compiled;
  const batches = await readSteps({ source, order: samplesOf({ ...order, interval: 1 }) }, 0, 1);
  const inputs = batches.map((objects) => ({ objects, learningRate: order.schedule.table[0]! }));
  const costs = await measureCosts(session, program, initialState(program, order.seed), inputs);
  return chooseInterval(costs, order.steps);
}
