import { join } from "node:path";
import type { Hex } from "viem";
import { z } from "zod";
import { stateRootOf } from "../trace/commitments.ts";
import { type TraceEntry, traceEntrySchema } from "../trace/entry.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { checkpointName, listCheckpoints, readCheckpoint } from "./checkpoint.ts";
import { CheckpointError } from "./errors.ts";
import { LineLog } from "./line-log.ts";
import type { EpochMetrics, StepMetrics } from "./metrics.ts";
import { hashSchema } from "./plan.ts";
import { type RunFolder, runFiles } from "./run-folder.ts";

const witnessesSchema = z.array(hashSchema);
const scoreSchema = z.strictObject({ loss: z.number(), accuracy: z.number().optional() });
const metricsSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("steps"),
    step: z.int(),
    samples: z.int(),
    lossSum: z.number(),
    correct: z.int().optional(),
    seconds: z.number(),
  }),
  z.strictObject({
    kind: z.literal("epoch"),
    epoch: z.int(),
    step: z.int(),
    training: scoreSchema,
    validation: scoreSchema.optional(),
    seconds: z.number(),
  }),
]);
/** One line of the file of metrics. */
export type MetricsLine = ({ kind: "steps" } & StepMetrics) | ({ kind: "epoch" } & EpochMetrics);

/** What a run wrote besides its checkpoints. */
export type RunLogs = {
  /** By leaf. */
  readonly trace: TraceEntry[];
  /** Witness commitments of each interval's steps. */
  readonly witnesses: Hex[][];
  readonly metrics: MetricsLine[];
};

const parserOf =
  <T>(schema: z.ZodType<T>) =>
  (value: unknown): T | undefined =>
    schema.safeParse(value).data;

/** Reads a run's logs as far as they are whole. */
export async function readLogs({ path }: Pick<RunFolder, "path">): Promise<RunLogs> {
  return {
    trace: await LineLog.read(join(path, runFiles.trace), parserOf<TraceEntry>(traceEntrySchema)),
    witnesses: await LineLog.read(join(path, runFiles.witnesses), parserOf<Hex[]>(witnessesSchema)),
    metrics: await LineLog.read(join(path, runFiles.metrics), parserOf<MetricsLine>(metricsSchema)),
  };
}

/** Where a run can go on. */
export type Resumption = {
  readonly checkpoint: Checkpoint;
  /** What the logs say up to there. */
  readonly logs: RunLogs;
  /** Newer checkpoints that cannot be used, and why. */
  readonly damaged: CheckpointError[];
};

/**
 * Finds the newest checkpoint that is intact, belongs to the run and is covered by its logs.
 *
 * @returns undefined when there is none: the run begins at its first step
 */
export async function findResumption(run: RunFolder): Promise<Resumption | undefined> {
  const logs = await readLogs(run);
  const folder = join(run.path, runFiles.checkpoints);
  const damaged: CheckpointError[] = [];
  for (const step of (await listCheckpoints(folder)).reverse()) {
    try {
      const checkpoint = await loadCheckpoint(run, step);
      const leaf = leafAt(run, step);
      const entry = leaf === undefined ? undefined : logs.trace[leaf];
      if (leaf === undefined || entry === undefined || logs.witnesses.length < leaf) {
        throw new CheckpointError(join(folder, checkpointName(step)), "the trace does not reach as far");
      }
      if (entry.stateRoot !== checkpoint.stateRoot) {
        throw new CheckpointError(
          join(folder, checkpointName(step)),
          "the trace names another state at its step",
        );
      }
      return {
        checkpoint,
        damaged,
        logs: {
          trace: logs.trace.slice(0, leaf + 1),
          witnesses: logs.witnesses.slice(0, leaf),
          metrics: logs.metrics.filter((line) => line.step <= step),
        },
      };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      damaged.push(error);
    }
  }
  return undefined;
}

/**
 * The checkpoint of a step, checked to be of this run and to hold the state that it says.
 *
 * @throws CheckpointError
 */
export async function loadCheckpoint(run: RunFolder, step: number): Promise<Checkpoint> {
  const path = join(run.path, runFiles.checkpoints, checkpointName(step));
  const checkpoint = await readCheckpoint(path, run.program);
  if (checkpoint.programRoot !== run.order.programRoot)
    throw new CheckpointError(path, "it is of another program");
  if (checkpoint.trainingHash !== run.trainingHash)
    throw new CheckpointError(path, "it is of another training");
  if (checkpoint.step !== step) throw new CheckpointError(path, `it is of step ${checkpoint.step}`);
  if (stateRootOf(run.program, checkpoint.state) !== checkpoint.stateRoot) {
    throw new CheckpointError(path, "its state does not have the root that it says");
  }
  return checkpoint;
}

/** Leaf of the trace that stands after a step; undefined inside an interval. */
export function leafAt({ order }: Pick<RunFolder, "order">, step: number): number | undefined {
  if (step === order.steps) return Math.ceil(order.steps / order.interval);
  return step % order.interval === 0 ? step / order.interval : undefined;
}
