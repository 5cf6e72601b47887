import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { stateFileBytes } from "../../core/exact/result-files.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import type { Executor } from "../../training/executors/types.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import type { ComputeParts, JobContext } from "./duty.ts";
import type { JobRecord } from "./job-record.ts";
import type { JobRun } from "./job-run.ts";
import { type MoveCost, moveCostOf, problemOfCost } from "./move-cost.ts";
import { type MeasuredJob, secondsPerStep as measuredSeconds } from "./step-time.ts";

/** The clocks of a dispute, in chain seconds: what a move has, and what every other open dispute adds to it. */
export type DisputeClocks = { readonly window: number; readonly extension: number };

/** Disputes that may be open at once where another one adds no time. */
const fixedDisputes = 32;
/** Checkpoints of a run at least. */
const leastCheckpoints = 16;
/** Part of what may be taken of the disk that the checkpoints of one run may take: several are computed side by side. */
const shareOfDisk = 8;
/** Part of the whole disk that no checkpoint takes: without it a keeper cannot write down what it sends. */
const reserveOfDisk = 10;

/**
 * Seconds that computing a move may take at most. Anyone may open as many disputes as there are intervals, and each adds its
 * extension to the deadline of the others: who computes a move in half of that answers all of them in time.
 */
export function mostSecondsOfMove({ window, extension }: DisputeClocks): number {
  return extension === 0 ? window / fixedDisputes : Math.min(window, extension) / 2;
}

/** The clocks of the disputes of a job, or without one of those that are opened now. */
export async function clocksOf(
  context: Pick<JobContext, "agreed" | "client" | "contracts" | "log">,
  jobId?: bigint,
): Promise<DisputeClocks> {
  const { value } = await agreedOrUsual(
    context,
    "how long a move of a dispute may take",
    async ({ contracts }) => {
      const { read } = contracts.JobRegistry;
      return (await (jobId === undefined ? read.parameters() : read.parametersOf([jobId]))).dispute;
    },
  );
  return value;
}

/** The clocks of the disputes with members of committees about a job. */
export async function memberClocksOf(
  context: Pick<JobContext, "agreed" | "client" | "contracts" | "log">,
  jobId: bigint,
): Promise<DisputeClocks> {
  const { value } = await agreedOrUsual(
    context,
    "how long a member has to answer an accusation",
    async ({ contracts }) => {
      const [{ dispute }, { moveWindow }] = await Promise.all([
        contracts.JobRegistry.read.parametersOf([jobId]),
        contracts.Committee.read.termsOf([jobId]),
      ]);
      return { window: moveWindow, extension: dispute.extension };
    },
  );
  return value;
}

export type SpacingParameters = {
  readonly order: Pick<TrainingOrder, "steps" | "interval">;
  readonly program: Program;
  readonly secondsPerStep: number;
  /** Seconds that a move takes besides the steps before its own. */
  readonly moveSeconds: number;
  readonly clocks: DisputeClocks;
  /** Bytes that the checkpoints of a run may take beyond the least number of them. */
  readonly room: number;
};

export type Spacing = {
  /** Steps from one checkpoint to the next, whole intervals. */
  readonly every: number;
  /** Why moves over such a run cannot be computed in their time; undefined when they can. */
  readonly problem: string | undefined;
};

/**
 * How far apart checkpoints of a run lie, so that a move is computed in its time: it begins at the checkpoint before its
 * interval, and ends at the end of that. An interval that takes longer by itself, or more checkpoints than there is room for,
 * is a problem; they are then as close as can be.
 */
export function spacingOf(parameters: SpacingParameters): Spacing {
  const { order, program, secondsPerStep, moveSeconds, clocks, room } = parameters;
  const { steps, interval } = order;
  const most = mostSecondsOfMove(clocks);
  const seconds = most - moveSeconds;
  const affordable = Math.max(1, Math.floor(seconds / secondsPerStep / interval)) * interval;
  const wanted = Math.min(Math.ceil(steps / leastCheckpoints), affordable);
  const count = Math.max(leastCheckpoints, Math.floor(room / stateFileBytes(program)));
  const every = Math.ceil(Math.max(wanted, Math.ceil(steps / count)) / interval) * interval;
  const replayed = Math.min(every, steps) * secondsPerStep;
  if (replayed <= seconds) return { every, problem: undefined };
  const what = interval * secondsPerStep > seconds ? "an interval takes" : "checkpoints would lie";
  const given = `${Math.ceil(replayed)} s${what === "an interval takes" ? " here" : " apart, for more there is no room"}`;
  const besides = moveSeconds < 1 ? "" : ` besides ${Math.ceil(moveSeconds)} s for the step in dispute`;
  const may = `a move of a dispute is to take ${Math.floor(most)} s`;
  const remedy = what === "an interval takes" ? "; a smaller interval takes less" : "";
  return { every, problem: `${what} ${given}${besides}: ${may}${remedy}` };
}

/** Steps from one checkpoint to the next where a run has the least number of them. */
function fewestOf({ steps, interval }: SpacingParameters["order"]): number {
  return Math.ceil(steps / leastCheckpoints / interval) * interval;
}

/** Seconds that a move takes besides the steps before its own. */
export function secondsOfMove({ stepSeconds, witnessSeconds }: MoveCost): number {
  return stepSeconds + witnessSeconds;
}

/** Why disputes over a job that was computed rightly could not be answered in their time; undefined when they can. */
export function problemOfMoves({
  cost,
  ...parameters
}: Omit<SpacingParameters, "moveSeconds"> & { readonly cost: MoveCost }): string | undefined {
  return (
    problemOfCost(cost, mostSecondsOfMove(parameters.clocks)) ??
    spacingOf({ ...parameters, moveSeconds: secondsOfMove(cost) }).problem
  );
}

/**
 * The spacing of checkpoints where what a move takes besides is measured, and why disputes could not be answered all the same.
 * Where the steps alone take too long nothing more is measured: whoever orders a job chooses how long that would take.
 *
 * @throws the reason of the signal; what the engine throws
 */
export async function measuredSpacing(
  executor: Executor,
  job: MeasuredJob,
  parameters: Omit<SpacingParameters, "moveSeconds">,
  signal?: AbortSignal,
): Promise<Spacing> {
  return await spacingWith(() => moveCostOf(executor, job, signal), parameters);
}

async function spacingWith(
  measure: () => Promise<MoveCost>,
  parameters: Omit<SpacingParameters, "moveSeconds">,
): Promise<Spacing> {
  const alone = spacingOf({ ...parameters, moveSeconds: 0 });
  if (alone.problem !== undefined) return alone;
  const cost = await measure();
  const { every } = spacingOf({ ...parameters, moveSeconds: secondsOfMove(cost) });
  return { every, problem: problemOfMoves({ ...parameters, cost }) };
}

/** Bytes that the checkpoints of a run may take on a disk, as `statfs` tells of it. */
export function roomOf({ bavail, blocks, bsize }: Pick<StatsFs, "bavail" | "blocks" | "bsize">): number {
  return (Math.max(0, bavail - blocks / reserveOfDisk) * bsize) / shareOfDisk;
}

/** Bytes that the checkpoints of a run in a folder may take. */
export async function roomIn(folder: string): Promise<number> {
  return roomOf(await statfs(folder));
}

export type CheckpointOptions = {
  /** Seconds that a step takes, where they were measured before. */
  readonly known?: number | undefined;
  /** Whether disputes of this run have to be answered, in time or not: it is one's own. */
  readonly isOwn?: boolean;
};

/**
 * Steps from one checkpoint of a job's run to the next, by what a step takes on this machine. Whoever challenges another's run has a
 * window that no other dispute takes anything of. Where its moves would be late all the same no more checkpoints are kept than of
 * any run: whoever ordered the job would fill the disk with them.
 */
export async function checkpointSpacing(
  parts: Pick<JobContext, "agreed" | "client" | "contracts" | "log"> & Pick<ComputeParts, "executor">,
  { jobId }: Pick<JobRecord, "jobId">,
  { job, run, folder }: JobRun,
  signal: AbortSignal,
  { known, isOwn = false }: CheckpointOptions = {},
): Promise<number> {
  const secondsPerStep = known ?? (await measuredSeconds(parts.executor, job, signal));
  const [clocks, room] = await Promise.all([clocksOf(parts, jobId), roomIn(folder)]);
  const parameters = { order: run.order, program: run.program, secondsPerStep, clocks, room };
  let cost: Promise<MoveCost> | undefined;
  const measure = () => {
    cost ??= moveCostOf(parts.executor, job, signal);
    return cost;
  };
  let spacing = await spacingWith(measure, parameters);
  // Half of what the window allows first: a move that fills it would be late as soon as the machine is a little busier.
  for (const share of isOwn ? [] : [2, 1]) {
    if (spacing.problem === undefined) break;
    const alone = { ...clocks, extension: clocks.window / share };
    spacing = await spacingWith(measure, { ...parameters, clocks: alone });
  }
  const { every, problem } = spacing;
  if (problem === undefined) return every;
  parts.log.warn({ jobId, problem }, "disputes of this job may not be answered in time");
  return isOwn ? every : fewestOf(run.order);
}
