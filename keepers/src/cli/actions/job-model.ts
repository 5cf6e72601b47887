import { join } from "node:path";
import { BadInputError } from "../../core/errors.ts";
import {
  evaluateModel,
  evaluateOn,
  type FetchModelParameters,
  fetchModel,
  type ModelScore,
} from "../../roles/consumer/fetch-model.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import type { Evaluation } from "../../training/evaluate/evaluate.ts";
import type { CommandContext } from "../context.ts";
import { findJob, keptResults, machineLimits, openConsumer } from "../jobs.ts";
import { engineOf } from "../training/engines.ts";

/** `assay job fetch` */
export async function fetchJob(context: CommandContext, id: string, options: { to?: string }): Promise<void> {
  const { output } = context;
  const parameters = await modelParameters(context, id, context.path(options.to ?? `job-${id}`));
  const { jobId, status, certificateId = null } = parameters.job;
  const model = await fetchModel(parameters);
  const score = await evaluateModel(parameters, model);
  const { result, checkpoint = null, steps = null } = model.origin;
  const { stateRoot } = result;
  const said =
    certificateId !== null
      ? `certificate ${certificateId} says`
      : checkpoint !== null
        ? `checkpoint ${checkpoint} says, after ${steps} steps; the job is ${status}`
        : "the provider committed to; there is no certificate yet";
  output.result({ jobId, status, stateRoot, checkpoint, steps, certificateId, model: model.path, score }, [
    `model      ${model.path}`,
    `state      ${stateRoot}, as ${said}`,
    ...(score === undefined ? [] : lines(score)),
  ]);
}

/** `assay job evaluate` */
export async function evaluateJob(
  context: CommandContext,
  id: string,
  options: { dataset?: string },
): Promise<void> {
  const { output } = context;
  const named = options.dataset === undefined ? undefined : parseDatasetId(options.dataset);
  const parameters = await modelParameters(context, id, join(await context.stateFolder(), "evaluations", id));
  const { jobId, order } = parameters.job;
  const model = await fetchModel(parameters);
  const kept = named === undefined ? await evaluateModel(parameters, model) : undefined;
  const datasetId = named ?? order.problem.datasetId;
  const score = kept ?? (await evaluateOn(parameters, model, datasetId));
  const samples = kept === undefined ? "all" : "kept apart";
  output.result({ jobId, datasetId, samples, score }, [
    `dataset    ${datasetId}, ${kept === undefined ? "all samples" : "the samples that training did not see"}`,
    ...lines(score),
  ]);
}

async function modelParameters(
  context: CommandContext,
  id: string,
  folder: string,
): Promise<FetchModelParameters> {
  const consumer = await openConsumer(context);
  const { contracts } = await context.network();
  const job = findJob(consumer, id);
  const posted = consumer.ledger.order(job.orderHash);
  if (posted === undefined) {
    throw new BadInputError(`the program of job ${id} was never published`, {
      next: "Only who made the order can compile it.",
    });
  }
  const { certificateId } = job;
  return {
    posted,
    job,
    certificate:
      certificateId === undefined
        ? undefined
        : await contracts.ModelCertificate.read.certificateOf([certificateId]),
    storage: createJobStorage(await context.storageClient(), await keptResults(context)),
    executor: await engineOf("native"),
    limits: machineLimits(),
    folder,
    signal: context.signal,
  };
}

function lines({ exact, float32 }: ModelScore): string[] {
  const line = (name: string, { samples, loss, accuracy }: Evaluation) => {
    const share = accuracy === undefined ? "" : `${(100 * accuracy).toFixed(2)} %, `;
    return `${name}${share}loss ${loss.toFixed(4)} on ${samples} samples`;
  };
  return [line("exact      ", exact), line("float32    ", float32)];
}
