import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { BadInputError } from "../core/errors.ts";
import { Consumer } from "../roles/consumer/consumer.ts";
import type { ResultWatchOptions } from "../roles/consumer/result-watch.ts";
import type { KeeperOptions } from "../roles/jobs/job-keeper.ts";
import type { JobRecord } from "../roles/jobs/job-record.ts";
import type { MachineLimits } from "../roles/jobs/published-program.ts";
import { createTelemetry } from "../roles/telemetry.ts";
import { KeptResults } from "../storage/client/kept-results.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";

/** What a training may take of this machine: all cores but one, half of the memory. */
export function machineLimits(): MachineLimits {
  return { threads: Math.max(1, availableParallelism() - 1), memoryBytes: Math.floor(totalmem() / 2) };
}

/** The job that a user names. @throws UsageError */
export function parseJobId(text: string): bigint {
  if (/^[1-9]\d{0,18}$/.test(text)) return BigInt(text);
  throw new UsageError(`${JSON.stringify(text.slice(0, 80))} is not a job's number`, {
    next: "Jobs are numbered from 1; `assay job list` shows yours.",
  });
}

/** The job that a user names, as the chain says it now. @throws UsageError, BadInputError */
export function findJob({ ledger }: Consumer, id: string): JobRecord {
  const job = ledger.job(parseJobId(id));
  if (job !== undefined) return job;
  throw new BadInputError(`there is no job ${id} on this chain`, {
    next: "`assay job list` shows yours.",
  });
}

/** Milliseconds between two looks at a development chain, and at any other. */
const intervals = { dev: 250, other: 2_000 } as const;

/** Folder, account and chain of a keeper of jobs that a command runs. */
export async function keeperOptions(context: CommandContext, folder: string): Promise<KeeperOptions> {
  const { chain, deployment } = await context.network();
  const account = await context.account();
  const { log } = createTelemetry({
    level: context.output.verbose ? "debug" : "info",
    base: { account: account.address },
  });
  const interval = context.dev() === undefined ? intervals.other : intervals.dev;
  return { dataDirectory: folder, account, chain, deployment, log, interval };
}

/** Results that `assay job watch` has fetched. */
export async function keptResults(context: CommandContext): Promise<KeptResults> {
  return new KeptResults(join(await context.stateFolder(), "consumer", "results"));
}

/**
 * The account as a consumer: what it has ordered, as the chain says it now.
 *
 * @param results how results are fetched and asked for, for who runs its duties
 */
export async function openConsumer(context: CommandContext, results?: ResultWatchOptions): Promise<Consumer> {
  const options = await keeperOptions(context, join(await context.stateFolder(), "consumer"));
  options.log.level = context.output.verbose ? "debug" : "silent";
  const consumer = await Consumer.open({ ...options, results });
  context.onClose(() => consumer.stop());
  await consumer.catchUp();
  return consumer;
}
