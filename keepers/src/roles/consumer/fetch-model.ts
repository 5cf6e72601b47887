import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ContractFunctionReturnType, Hex } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import { AssayError, BadInputError } from "../../core/errors.ts";
import { samplesOf } from "../../core/exact/order.ts";
import { gatherObjects } from "../../training/data/gather.ts";
import {
  allSamples,
  type Evaluation,
  evaluateExact,
  type Samples,
} from "../../training/evaluate/evaluate.ts";
import { evaluateFloat } from "../../training/evaluate/evaluate-float.ts";
import { labelField } from "../../training/evaluate/target.ts";
import type { Executor } from "../../training/executors/types.ts";
import { exportModel } from "../../training/export/export.ts";
import { writeWhole } from "../../training/files.ts";
import { writeOnnx } from "../../training/onnx/write.ts";
import { WrongResultError } from "../jobs/errors.ts";
import type { PostedOrder } from "../jobs/job-ledger.ts";
import { compileJob, objectShare, openJob } from "../jobs/job-program.ts";
import { type CommittedResult, isRunning, type JobRecord } from "../jobs/job-record.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { JobProgram, MachineLimits } from "../jobs/published-program.ts";
import { fetchState } from "../jobs/result.ts";

/** What the certificate of a job says. */
export type Certificate = ContractFunctionReturnType<
  (typeof abis)["ModelCertificate"],
  "view",
  "certificateOf"
>;

export type FetchModelParameters = {
  readonly posted: PostedOrder;
  readonly job: JobRecord;
  /** Of a finalised job; without it the result is held against the commitment alone. */
  readonly certificate?: Certificate;
  readonly storage: JobStorage;
  readonly executor: Executor;
  readonly limits: MachineLimits;
  /** Folder for downloads and the model. */
  readonly folder: string;
  readonly signal?: AbortSignal;
};

export type FetchedModel = {
  /** What it was held against: the result, or the newest checkpoint that could be had. */
  readonly origin: StateOrigin;
  /** Path of the ONNX file: the forward model with trained weights in float32. */
  readonly path: string;
  readonly state: Int32Array[];
  readonly onnx: Uint8Array;
};

/** A stored state of a job that somebody stands for. */
export type StateOrigin = {
  readonly result: CommittedResult;
  /** Number of the checkpoint; undefined for the result. */
  readonly checkpoint: number | undefined;
  /** Steps of training behind it; undefined for all of them. */
  readonly steps: number | undefined;
};

/** A fetched model's score. */
export type ModelScore = { readonly exact: Evaluation; readonly float32: Evaluation };

/**
 * States of a job that can be fetched, the best first. A result that was shown to be wrong is none of them, nor is a checkpoint
 * that was not paid: challenges of it are still taken, or the job was over before it was verified.
 */
export function originsOf({ status, result, checkpoints }: JobRecord): StateOrigin[] {
  const stands = status === "Committed" || status === "Attested" || status === "Finalised";
  const last = result === undefined || !stands ? [] : [{ result, checkpoint: undefined, steps: undefined }];
  const paid = checkpoints.filter((each) => each.paid !== undefined && each.paid > 0n);
  const parts = paid.map((each) => ({ result: each, checkpoint: each.number, steps: each.steps }));
  return last.length > 0 ? last : parts.reverse();
}

/**
 * Fetches the model of a job: the stored state, checked against certificate and commitment, exported as ONNX. Of a job that
 * failed, or has not come to its end, it is the newest state that was verified and paid, or an earlier one when that cannot
 * be had.
 *
 * @throws WrongResultError when what is stored is not what was committed to; what storage throws
 */
export async function fetchModel(parameters: FetchModelParameters): Promise<FetchedModel> {
  const { posted, job, certificate, storage, limits, folder, signal } = parameters;
  const origins = originsOf(job);
  if (origins.length === 0) {
    throw new AssayError(`job ${job.jobId} has no state that was verified`, { next: nextOf(job) });
  }
  if (certificate !== undefined && certificate.stateRoot !== job.result?.stateRoot) {
    throw new WrongResultError(certificate.resultId, "the certificate names another state");
  }
  await mkdir(folder, { recursive: true });
  const { compiled, order } = await compileJob(posted, { storage, folder, limits, signal });
  const { origin, state } = await firstOf(origins, ({ result, steps = order.steps }) =>
    fetchState({ storage, program: compiled.program, order: { ...order, steps }, result, folder, signal }),
  );
  const onnx = writeOnnx(exportModel(compiled, state));
  const path = join(folder, "model.onnx");
  await writeWhole(path, onnx);
  return { origin, path, state, onnx };
}

/** The first state that can be had. @throws what kept the first one from being fetched, when none can */
async function firstOf(
  origins: readonly StateOrigin[],
  fetch: (origin: StateOrigin) => Promise<Int32Array[]>,
): Promise<{ readonly origin: StateOrigin; readonly state: Int32Array[] }> {
  let first: AssayError | undefined;
  for (const origin of origins) {
    try {
      return { origin, state: await fetch(origin) };
    } catch (error) {
      if (!(error instanceof AssayError)) throw error;
      first ??= error;
    }
  }
  throw first!;
}

/**
 * Scores a fetched model on the samples that the order kept apart, in the exact format and in float32.
 *
 * @returns undefined when the order keeps nothing apart
 * @throws what storage throws
 */
export async function evaluateModel(
  parameters: FetchModelParameters,
  model: FetchedModel,
): Promise<ModelScore | undefined> {
  const { posted, storage, folder, limits, signal } = parameters;
  const compiled = await compileJob(posted, { storage, folder, limits, signal });
  const job = await openJob(compiled, { storage, folder, limits, signal });
  try {
    const samples = samplesOf(job.order);
    if (samples.validationCount === 0) return undefined;
    const index = (i: number) => samples.validation(i);
    return await score(parameters, job, model, {
      source: job.source,
      count: samples.validationCount,
      index,
    });
  } finally {
    await job.close();
  }
}

/**
 * Scores a fetched model on all samples of some stored dataset, whose objects lie as those of the order do.
 *
 * @throws BadInputError for objects of another size; DatasetError for labels that the model does not know; what storage
 * throws
 */
export async function evaluateOn(
  parameters: FetchModelParameters,
  model: FetchedModel,
  datasetId: Hex,
): Promise<ModelScore> {
  const { posted, storage, folder, limits, signal } = parameters;
  const job = await compileJob(posted, { storage, folder, limits, signal });
  const sequence = await storage.objects(datasetId, join(folder, "downloads"), signal);
  if (sequence.objectSize !== job.order.objectBytes) {
    throw new BadInputError(
      `objects of ${datasetId} have ${sequence.objectSize} bytes, those of the order ${job.order.objectBytes}`,
    );
  }
  const { source } = await gatherObjects(sequence, {
    spool: join(folder, "evaluated.spool"),
    memoryBytes: limits.memoryBytes / objectShare,
    label: labelField(job.compiled.program),
    signal,
  });
  try {
    return await score(parameters, job, model, allSamples(source));
  } finally {
    await source.close();
  }
}

async function score(
  { executor }: FetchModelParameters,
  { compiled: { program }, options }: JobProgram,
  { state, onnx }: FetchedModel,
  samples: Samples,
): Promise<ModelScore> {
  return {
    exact: await evaluateExact(executor, program, state, samples, options),
    float32: await evaluateFloat(await import("onnxruntime-node"), onnx, program, samples),
  };
}

function nextOf(job: JobRecord): string {
  return isRunning(job) || job.status === "Open" || job.status === "Matched"
    ? "Wait until the provider has committed to a result, or a checkpoint was paid."
    : "It has come to no result, and no part of it was paid.";
}
