import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { addressOf } from "../../chain/contracts.ts";
import { trainingHash } from "../../core/exact/order.ts";
import { checkpointLeaves } from "../../core/exact/result-files.ts";
import { checkpointSteps } from "../../core/market/instalments.ts";
import type { TrainingSession } from "../../training/executors/types.ts";
import { findResumption } from "../../training/trainer/progress.ts";
import { createRun, isRunFolder, openRun, type RunFolder } from "../../training/trainer/run-folder.ts";
import { type TrainResult, train } from "../../training/trainer/train.ts";
import type { ComputeParts, JobContext } from "./duty.ts";
import { OrderRefusedError } from "./errors.ts";
import { compileJob, type OpenJob, openJob } from "./job-program.ts";
import type { JobRecord } from "./job-record.ts";

/** A job that is computed here, with the folder of its run. */
export type JobRun = {
  readonly job: OpenJob;
  readonly run: RunFolder;
  readonly folder: string;
  /** Steps after which a part of the price can be asked for, by the number of the checkpoint from 1 on. */
  readonly paidSteps: readonly number[];
};

/**
 * Wraps the session of a run whose first step is `firstStep`: a demonstration can have it compute something else than what
 * was ordered.
 */
export type SessionWrapper = (session: TrainingSession, firstStep: number) => TrainingSession;

/** What opening a run takes. */
export type JobRunParts = Pick<JobContext, "ledger" | "deployment"> & Omit<ComputeParts, "executor">;

/** Checkpoints of a run that no dispute is played from. */
const checkpoints = 16;

/** Folders in which a run is being opened: two duties of one keeper would fetch and unpack the same into each other. */
const opening = new Map<string, Promise<unknown>>();

/**
 * Opens the run of a job in this keeper's folder, or goes on with the one that is there.
 *
 * @throws OrderRefusedError when what was published does not hold together; what storage throws
 */
export async function openJobRun(
  parts: JobRunParts,
  job: Pick<JobRecord, "jobId" | "orderHash">,
  signal?: AbortSignal,
): Promise<JobRun> {
  const own = join(parts.folder, String(job.jobId));
  const before = opening.get(own);
  const opened = (before ?? Promise.resolve()).then(() => open(parts, job, own, signal));
  const done = opened.catch(() => undefined);
  opening.set(own, done);
  try {
    return await opened;
  } finally {
    if (opening.get(own) === done) opening.delete(own);
  }
}

async function open(
  { ledger, deployment, storage, limits, secrets, takesMislabelled }: JobRunParts,
  { jobId, orderHash }: Pick<JobRecord, "jobId" | "orderHash">,
  own: string,
  signal: AbortSignal | undefined,
): Promise<JobRun> {
  const posted = ledger.order(orderHash);
  if (posted === undefined) throw new OrderRefusedError("package", "it was never published");
  await mkdir(own, { recursive: true });
  const program = await compileJob(posted, { storage, folder: own, limits, signal });
  const job = await openJob(program, { storage, folder: own, limits, signal, takesMislabelled });
  try {
    const path = join(own, "run");
    const registry = addressOf(deployment, "JobRegistry");
    const run = isRunFolder(path)
      ? await openRun(path)
      : await createRun({
          path,
          program: program.compiled.program,
          order: program.order,
          domain: { chainId: deployment.chainId, verifyingContract: registry },
          config: { package: program.package, jobId: String(jobId) },
          secret: secrets?.derive("trace secret", registry, jobId, trainingHash(program.order)),
        });
    const { instalments } = posted.order.conditions;
    return { job, run, folder: own, paidSteps: checkpointSteps({ ...run.order, instalments }) };
  } catch (error) {
    await job.close();
    throw error;
  }
}

/**
 * Sees to it that a job is trained up to a step. What is there already is not asked for again: another duty may be going on
 * with the run, and lets nobody else.
 */
export async function trainJobUpTo(
  parts: Pick<ComputeParts, "executor">,
  opened: JobRun,
  { until, every, signal }: Required<Pick<TrainJobOptions, "until" | "every" | "signal">>,
): Promise<void> {
  const done = (await findResumption(opened.run))?.checkpoint.step ?? 0;
  if (done < until) await trainJob(parts, opened, { until, every, signal });
}

export type TrainJobOptions = {
  /** Opens the session whose first step is this one; the executor's own by default. */
  readonly open?: (firstStep: number) => Promise<TrainingSession>;
  readonly worker?: SessionWrapper;
  /** Step after which it ends; the last one by default. */
  readonly until?: number;
  /** Steps from one checkpoint to the next: disputes begin at the one before the step in question. */
  readonly every?: number;
  readonly signal?: AbortSignal;
};

/**
 * Trains a job to its last step, or to the end of an interval before, from where an earlier call stopped. A run that is
 * further already gives what it has: its newest state.
 */
export async function trainJob(
  { executor }: Pick<ComputeParts, "executor">,
  { job, run, paidSteps }: JobRun,
  { open, worker, until, every, signal }: TrainJobOptions = {},
): Promise<TrainResult> {
  const firstStep = (await findResumption(run))?.checkpoint.step ?? 0;
  const stored = checkpointLeaves(run.order).map((leaf) => leaf * run.order.interval);
  const honest = await (open?.(firstStep) ?? executor.open(run.program, job.options));
  const session = worker?.(honest, firstStep) ?? honest;
  try {
    return await train({
      run,
      session,
      source: job.source,
      checkpoint: { every: every ?? Math.ceil(run.order.steps / checkpoints), at: [...paidSteps, ...stored] },
      until,
      signal,
    });
  } finally {
    await session.close();
  }
}
