import { formatUnits } from "viem";
import type { Consumer } from "../../roles/consumer/consumer.ts";
import type { ResultNews, ResultWatchOptions } from "../../roles/consumer/result-watch.ts";
import { unpaidResults } from "../../roles/consumer/unpaid-results.ts";
import type { JobRecord } from "../../roles/jobs/job-record.ts";
import type { CommandContext } from "../context.ts";
import { findJob, keptResults, openConsumer } from "../jobs.ts";
import { table } from "../output.ts";

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

export type WatchOptions = { maxChallengeBonds: bigint; fetchTime: number };

/** `assay job watch` */
export async function watchJob(
  context: CommandContext,
  id: string,
  { maxChallengeBonds: mostBonds, fetchTime }: WatchOptions,
): Promise<void> {
  const { output, signal } = context;
  const storage = await context.storageClient();
  const onNews = (news: ResultNews) =>
    output.event({ event: "result", ...news }, `job ${news.jobId}: ${news.text}`);
  const results = await keptResults(context);
  const kept: ResultWatchOptions["kept"] = {
    stash: (resultId, bytes) => results.stash(resultId, bytes),
    manifest: (resultId, stop) => results.manifest(storage, resultId, stop),
  };
  const consumer = await openConsumer(context, { storage, kept, mostBonds, fetchTime, onNews });
  const { jobId } = findJob(consumer, id);
  consumer.run();
  const onChange = (job: JobRecord) =>
    output.event({ event: "status", ...documentOf(consumer, job) }, `job ${jobId}: ${job.status}`);
  const job = await consumer.follow(jobId, { signal, onChange });
  const { address } = await context.account();
  for (const resultId of unpaidResults(job, consumer.ledger.jobsOfConsumer(address)))
    await results.remove(resultId);
  output.event({ event: "ended", ...documentOf(consumer, job) }, linesOf(consumer, job).join("\n"));
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
