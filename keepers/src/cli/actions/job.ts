import { formatUnits } from "viem";
import { BadInputError } from "../../core/errors.ts";
import type { Consumer } from "../../roles/consumer/consumer.ts";
import { evaluateModel, fetchModel } from "../../roles/consumer/fetch-model.ts";
import type { JobRecord } from "../../roles/jobs/job-record.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import type { CommandContext } from "../context.ts";
import { machineLimits, openConsumer, parseJobId } from "../jobs.ts";
import { table } from "../output.ts";
import { engineOf } from "../training/engines.ts";

/** `assay job list` */
export async function listJobs(context: CommandContext, options: { all?: boolean }): Promise<void> {
  const consumer = await openConsumer(context);
  const { address } = await context.account();
  const { ledger } = consumer;
  const jobs = options.all === true ? ledger.openJobs() : ledger.jobsOfConsumer(address);
  const rows = jobs.map(({ jobId, status, price, provider }) => [
    String(jobId),
    status,
    price === undefined ? "" : formatUnits(price, 18),
    provider ?? "",
  ]);
  const lines = jobs.length === 0 ? ["no jobs"] : table(["job", "status", "price", "provider"], rows);
  context.output.result({ jobs: jobs.map((job) => documentOf(consumer, job)) }, lines);
}

/** `assay job show` */
export async function showJob(context: CommandContext, id: string): Promise<void> {
  const consumer = await openConsumer(context);
  const job = findJob(consumer, id);
  context.output.result(documentOf(consumer, job), linesOf(consumer, job));
}

/** `assay job watch` */
export async function watchJob(context: CommandContext, id: string): Promise<void> {
  const { output, signal } = context;
  const consumer = await openConsumer(context);
  const { jobId } = findJob(consumer, id);
  consumer.run();
  const onChange = (job: JobRecord) =>
    output.event({ event: "status", ...documentOf(consumer, job) }, `job ${jobId}: ${job.status}`);
  const job = await consumer.follow(jobId, { signal, onChange });
  output.event({ event: "ended", ...documentOf(consumer, job) }, linesOf(consumer, job).join("\n"));
}

/** `assay job fetch` */
export async function fetchJob(context: CommandContext, id: string, options: { to?: string }): Promise<void> {
  const { output, signal } = context;
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
  const parameters = {
    posted,
    job,
    certificate:
      certificateId === undefined
        ? undefined
        : await contracts.ModelCertificate.read.certificateOf([certificateId]),
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf("native"),
    limits: machineLimits(),
    folder: context.path(options.to ?? `job-${id}`),
    signal,
  };
  const model = await fetchModel(parameters);
  const score = await evaluateModel(parameters, model);
  const { stateRoot } = job.result!;
  const describe = (
    name: string,
    { samples, loss, accuracy }: { samples: number; loss: number; accuracy?: number },
  ) =>
    `${name}  ${accuracy === undefined ? "" : `${(100 * accuracy).toFixed(2)} %, `}loss ${loss.toFixed(4)} on ${samples} samples`;
  output.result(
    { jobId: job.jobId, stateRoot, certificateId: certificateId ?? null, model: model.path, score },
    [
      `model      ${model.path}`,
      `state      ${stateRoot}, as ${certificateId === undefined ? "the provider committed to; there is no certificate yet" : `certificate ${certificateId} says`}`,
      ...(score === undefined
        ? []
        : [describe("exact    ", score.exact), describe("float32  ", score.float32)]),
    ],
  );
}

function findJob({ ledger }: Consumer, id: string): JobRecord {
  const job = ledger.job(parseJobId(id));
  if (job !== undefined) return job;
  throw new BadInputError(`there is no job ${id} on this chain`, {
    next: "`assay job list` shows yours.",
  });
}

function documentOf({ ledger }: Consumer, job: JobRecord): Record<string, unknown> {
  const { jobId, orderHash, status, consumer, provider, price, deadline, result, certificateId } = job;
  const challenges = ledger.challengesOf(jobId).map((challenge) => {
    const { challengeId, checkpoint, challenger, outcome, isSettled } = challenge;
    return { challengeId, checkpoint, challenger, outcome: outcome ?? null, isSettled };
  });
  const checkpoints = job.checkpoints.map((each) => ({ ...each, paid: each.paid ?? null }));
  return {
    jobId,
    orderHash,
    status,
    consumer,
    provider: provider ?? null,
    price: price ?? null,
    deadline: deadline ?? null,
    instalments: job.order.conditions.instalments,
    checkpoints,
    result: result ?? null,
    certificateId: certificateId ?? null,
    bids: job.auction?.bids.size ?? null,
    challenges,
  };
}

function linesOf({ ledger }: Consumer, job: JobRecord): string[] {
  const { jobId, orderHash, status, provider, price, result, auction, certificateId } = job;
  const challenges = ledger.challengesOf(jobId);
  return [
    `job        ${jobId}`,
    `order      ${orderHash}`,
    `status     ${status}`,
    ...(auction === undefined ? [] : [`bids       ${auction.bids.size}`]),
    ...(provider === undefined ? [] : [`provider   ${provider}, ${formatUnits(price!, 18)} tokens`]),
    ...job.checkpoints.map(
      ({ number, steps, resultId, paid, challengeUntil }) =>
        `checkpoint ${number} of ${job.order.conditions.instalments - 1}, after ${steps} steps: ${resultId}, ${
          paid === undefined
            ? `challenges are taken until ${timeOf(challengeUntil)}`
            : `${formatUnits(paid, 18)} tokens paid`
        }`,
    ),
    ...(result === undefined
      ? []
      : [
          `state      ${result.stateRoot}`,
          `result     ${result.resultId}`,
          `disputes   ${challenges.length}, challenges are taken until ${timeOf(result.challengeUntil)}`,
        ]),
    ...(certificateId === undefined ? [] : [`certificate ${certificateId}`]),
  ];
}

/** @param seconds since 1970 */
function timeOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
