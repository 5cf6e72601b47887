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
import { type RunFolder, runFiles } from "./run-folder.ts";
import { WitnessList } from "./witness-list.ts";

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
  readonly trace: readonly TraceEntry[];
  /** Witness commitments of each interval's steps; made when they are read. */
  readonly witnesses: readonly (readonly Hex[])[];
};

type Folder = Pick<RunFolder, "path">;

const hashPattern = /^0x[0-9a-f]{64}$/;

const parserOf =
  <T>(schema: z.ZodType<T>) =>
  (value: unknown): T | undefined =>
    schema.safeParse(value).data;
const parseEntry = parserOf<TraceEntry>(traceEntrySchema);
const parseMetrics = parserOf<MetricsLine>(metricsSchema);

/** By hand: there is one for each step of a run, and each look at a run reads them. */
function parseWitnesses(value: unknown): Hex[] | undefined {
  const isHash = (each: unknown) => typeof each === "string" && hashPattern.test(each);
  return Array.isArray(value) && value.every(isHash) ? (value as Hex[]) : undefined;
}

/** Reads a run's logs as far as they are whole. */
export async function readLogs(run: Folder): Promise<RunLogs> {
  const witnesses = new WitnessList();
  await LineLog.each(join(run.path, runFiles.witnesses), parseWitnesses, (each) => witnesses.push(each));
  return { trace: await readTrace(run), witnesses: witnesses.list() };
}

/** Reads the leaves of a run's trace as far as they are whole. */
export function readTrace({ path }: Folder): Promise<TraceEntry[]> {
  return LineLog.read(join(path, runFiles.trace), parseEntry);
}

/** Witness commitments of the steps of one interval; undefined when the run has not come to its end. */
export function readWitnesses({ path }: Folder, interval: number): Promise<readonly Hex[] | undefined> {
  return LineLog.at(join(path, runFiles.witnesses), interval, parseWitnesses);
}

/** What the logs of a run say of it, as far as training it on takes. */
export type Progress = {
  /** By leaf. */
  readonly trace: TraceEntry[];
  readonly metrics: MetricsLine[];
};

/** Where a run can go on. */
export type Resumption = {
  readonly checkpoint: Checkpoint;
  /** What the logs say up to there. */
  readonly logs: Progress;
  /** Newer checkpoints that cannot be used, and why. */
  readonly damaged: CheckpointError[];
};

/**
 * Finds the newest checkpoint that is intact, belongs to the run and is covered by its logs.
 *
 * @returns undefined when there is none: the run begins at its first step
 */
export async function findResumption(run: RunFolder): Promise<Resumption | undefined> {
  const trace = await readTrace(run);
  const intervals = await countIntervals(run);
  const folder = join(run.path, runFiles.checkpoints);
  const damaged: CheckpointError[] = [];
  for (const step of (await listCheckpoints(folder)).reverse()) {
    try {
      const checkpoint = await loadCheckpoint(run, step);
      const leaf = leafAt(run, step);
      const entry = leaf === undefined ? undefined : trace[leaf];
      if (leaf === undefined || entry === undefined || intervals < leaf) {
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
          trace: trace.slice(0, leaf + 1),
          metrics: (await readMetrics(run)).filter((line) => line.step <= step),
        },
      };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      damaged.push(error);
    }
  }
  return undefined;
}

function readMetrics({ path }: Folder): Promise<MetricsLine[]> {
  return LineLog.read(join(path, runFiles.metrics), parseMetrics);
}

/** Intervals whose witnesses are in the log. */
async function countIntervals({ path }: Folder): Promise<number> {
  let count = 0;
  await LineLog.each(join(path, runFiles.witnesses), parseWitnesses, () => {
    count++;
  });
  return count;
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
