import type { Logger } from "pino";
import { openChallenger } from "../../roles/challenger/challenger.ts";
import { createJobStorage, createResultStorage } from "../../roles/jobs/job-storage.ts";
import { openJanitor } from "../../roles/jobs/open-janitor.ts";
import { openProvider, type ProviderOptions } from "../../roles/provider/provider.ts";
import { requireResultEpochs } from "../../roles/provider/result-terms.ts";
import { WorkerDesk } from "../../roles/provider/worker-desk.ts";
import { operatorRoles, registerOperator } from "../../roles/storage-node/register.ts";
import { createStorageClient } from "../../storage/client/client.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { createHost, type Host } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import { slipProbability } from "../../training/cluster/risk.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { type FetchingOptions, limitsOf, type RunOptions, startKeeper } from "../run-keeper.ts";
import { engineOf, partsEngineOf, runtimeOf } from "../training/engines.ts";

export type ProviderCommandOptions = FetchingOptions & {
  stake?: bigint;
  perHour: bigint;
  floor: bigint;
  perOpening: bigint;
  feedMargin: number;
  jobs: number;
  auctionsOnly?: boolean;
  compute: number;
  region?: number;
  regulations?: bigint;
  privacy: number;
  dataShards: number;
  shards: number;
  fee: bigint;
  epochs: number;
  workers?: string;
  serve?: string;
  announce?: string;
  workerPay: bigint;
  workerBudget: bigint;
  copies: number;
  check: number;
  chunks: number;
};

export type ChallengerCommandOptions = FetchingOptions & { budget: number };

/**
 * Bytes that workers and members of committees may make a provider keep: a result of a chunk, or the state that a member is
 * handed, has up to 256 MiB.
 */
const providerMemory = 2 ** 30;

/** `assay provider run` */
export async function runProvider(context: CommandContext, options: ProviderCommandOptions): Promise<void> {
  const run = await startKeeper(context, "provider", options);
  const { account, chain, deployment, dataDirectory } = run.options;
  const host = await createHost({
    privateKey: await loadOrCreateIdentity(dataDirectory),
    listen: [options.workers, options.serve].filter((address) => address !== undefined),
    localNetwork: context.usesLocalNetwork(deployment),
    memory: { total: providerMemory, perPeer: providerMemory / 2 },
  });
  context.onClose(() => host.stop());
  const client = createStorageClient({ chain, deployment, host });
  context.onClose(() => client.peers.close());
  await requireResultEpochs(client.contracts, options.epochs);
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const shows = await showsOf(options, host);
  const { stake } = options;
  if (stake !== undefined || shows !== undefined) {
    await registerOperator(
      { ...client, account, queue: await context.queue(), log: run.options.log },
      {
        peerId: host.peerId.toMultihash().bytes,
        endpoint: shows?.endpoint ?? "",
        stake: stake ?? 0n,
        role: operatorRoles.provider,
      },
    );
  }
  const { dataShards: k, shards: n, fee: feePerAudit, epochs, perHour, floor, perOpening, compute } = options;
  const provider = await openProvider({
    ...run.options,
    storage: (queue) =>
      createResultStorage({ ...client, account, queue }, { k, n, feePerAudit, epochs }, (bytes) =>
        pool.commit(bytes),
      ),
    executor: await engineOf(options.engine),
    limits: limitsOf(options),
    abilities: {
      compute,
      region: options.region === undefined ? 0n : 1n << BigInt(options.region),
      regulations: options.regulations ?? 0n,
      privacyTier: options.privacy,
    },
    costs: { perHour, floor, perOpening },
    feedMargin: options.feedMargin,
    mostJobs: options.jobs,
    fetchTime: options.fetchTime,
    takesOrders: options.auctionsOnly !== true,
    ...(shows !== undefined && { shows }),
    crew: await crewOf(context, options, host, run.options.log),
  });
  await run.until(provider);
}

/** What a provider needs to answer members of committees; undefined when it does not. */
async function showsOf(
  { serve, announce, workers, engine }: ProviderCommandOptions,
  host: Host,
): Promise<(NonNullable<ProviderOptions["shows"]> & { endpoint: string }) | undefined> {
  if (serve === undefined) return undefined;
  const runtime = await runtimeOf(engine);
  if (runtime === undefined) {
    throw new UsageError("--serve needs the engine native or wasm: the reference hands no sums over");
  }
  // Addresses stand in the order in which the host listens: those for workers come first.
  const own = host.getMultiaddrs().at(workers === undefined ? 0 : -1);
  return { host, engine: runtime, endpoint: announce ?? own!.toString() };
}

/** What a provider needs to let workers in; undefined when it works alone. */
async function crewOf(
  context: CommandContext,
  { workers, engine, workerPay, workerBudget, copies, check, chunks }: ProviderCommandOptions,
  host: Host,
  log: Logger,
): Promise<ProviderOptions["crew"]> {
  if (workers === undefined) return undefined;
  if (engine === "reference") {
    throw new UsageError(
      "--workers needs the engine native or wasm: the reference computes whole steps only",
    );
  }
  const desk = await WorkerDesk.open({ host, log });
  context.onClose(() => desk.close());
  const addresses = host.getMultiaddrs().map(String);
  context.output.event({ event: "workers", addresses }, `Workers may join at ${addresses.join(", ")}`);
  // A league may hold all of the work: accounts are free.
  const risk = slipProbability({ checkShare: check, copies, share: 1, chunks: 1 });
  if (risk > 0) {
    context.output.note(
      `workers in league get a wrong chunk past the checks with probability ${risk} at most, which costs the stake; --check 1 rules it out`,
    );
  }
  const terms = { perChunk: workerPay, budget: workerBudget, copies, checkShare: check, chunks };
  return { desk, terms, executor: await partsEngineOf(engine) };
}

/** `assay challenger run` */
export async function runChallenger(
  context: CommandContext,
  options: ChallengerCommandOptions,
): Promise<void> {
  const run = await startKeeper(context, "challenger", options);
  const challenger = await openChallenger({
    ...run.options,
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf(options.engine),
    limits: limitsOf(options),
    budget: options.budget,
    fetchTime: options.fetchTime,
  });
  await run.until(challenger);
}

/** `assay janitor run` */
export async function runJanitor(context: CommandContext, options: RunOptions): Promise<void> {
  const run = await startKeeper(context, "janitor", options);
  await run.until(await openJanitor(run.options));
}
