import { join } from "node:path";
import type { Hex } from "viem";
import { openChallenger } from "../../roles/challenger/challenger.ts";
import type { JobKeeper } from "../../roles/jobs/job-keeper.ts";
import { createJobStorage, createResultStorage } from "../../roles/jobs/job-storage.ts";
import { openProvider } from "../../roles/provider/provider.ts";
import { operatorRoles, registerOperator } from "../../roles/storage-node/register.ts";
import { createStorageClient } from "../../storage/client/client.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { createHost } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { keeperOptions, machineLimits } from "../jobs.ts";
import type { EngineName } from "../training/engines.ts";
import { engineOf } from "../training/engines.ts";
import { untilInterrupted } from "../until.ts";

export type JobKeeperOptions = { data?: string; engine: EngineName; threads?: number };

export type ProviderCommandOptions = JobKeeperOptions & {
  stake?: bigint;
  perHour: bigint;
  floor: bigint;
  feedMargin: number;
  jobs: number;
  auctionsOnly?: boolean;
  compute: number;
  region?: number;
  dataShards: number;
  shards: number;
  fee: bigint;
  epochs: number;
};

export type ChallengerCommandOptions = JobKeeperOptions & { budget: number };

/** `assay provider run` */
export async function runProvider(context: CommandContext, options: ProviderCommandOptions): Promise<void> {
  const folder = dataFolder(context, options, "provider");
  const keeper = await keeperOptions(context, folder);
  const { account, chain, deployment } = keeper;
  const host = await createHost({ privateKey: await loadOrCreateIdentity(folder) });
  context.onClose(() => host.stop());
  const client = createStorageClient({ chain, deployment, host });
  context.onClose(() => client.peers.close());
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const { stake } = options;
  if (stake !== undefined) {
    await registerOperator(
      { ...client, account, queue: await context.queue() },
      { peerId: host.peerId.toMultihash().bytes, endpoint: "", stake, role: operatorRoles.provider },
    );
  }
  const { dataShards: k, shards: n, fee: feePerAudit, epochs, perHour, floor, compute } = options;
  const provider = await openProvider({
    ...keeper,
    storage: (queue) =>
      createResultStorage({ ...client, account, queue }, { k, n, feePerAudit, epochs }, (bytes) =>
        pool.commit(bytes),
      ),
    executor: await engineOf(options.engine),
    limits: limitsOf(options),
    abilities: {
      compute,
      region: options.region === undefined ? 0n : 1n << BigInt(options.region),
      regulations: 0n,
      privacyTier: 0,
    },
    costs: { perHour, floor },
    feedMargin: options.feedMargin,
    mostJobs: options.jobs,
    takesOrders: options.auctionsOnly !== true,
  });
  await runUntilInterrupted(context, provider, "provider", account.address);
}

/** `assay challenger run` */
export async function runChallenger(
  context: CommandContext,
  options: ChallengerCommandOptions,
): Promise<void> {
  const keeper = await keeperOptions(context, dataFolder(context, options, "challenger"));
  const challenger = await openChallenger({
    ...keeper,
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf(options.engine),
    limits: limitsOf(options),
    budget: options.budget,
  });
  await runUntilInterrupted(context, challenger, "challenger", keeper.account.address);
}

function dataFolder(context: CommandContext, { data }: JobKeeperOptions, name: string): string {
  return data === undefined ? join(context.home, name) : context.path(data);
}

function limitsOf({ threads }: JobKeeperOptions) {
  const limits = machineLimits();
  return { ...limits, threads: threads ?? limits.threads };
}

async function runUntilInterrupted(
  { output, signal }: CommandContext,
  keeper: JobKeeper,
  role: string,
  account: Hex,
): Promise<void> {
  keeper.run();
  output.event({ event: "ready", role, account }, `${account} works as a ${role}`);
  try {
    await untilInterrupted(signal);
  } finally {
    await keeper.stop();
  }
  output.event({ event: "stopped" }, `The ${role} has stopped.`);
}
