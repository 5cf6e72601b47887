import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "prom-client";
import { addressOf, connectContracts } from "../../chain/contracts.ts";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import { privateFolder } from "../../storage/state/private-folder.ts";
import { openState, type State } from "../../storage/state/state.ts";
import type { Host } from "../../storage/transport/host.ts";
import { RpcClient } from "../../storage/transport/rpc-client.ts";
import type { PartsExecutor } from "../../training/executors/parts.ts";
import { checkChain, observeQueue } from "../chain-metrics.ts";
import { WorkMetrics } from "../cluster/metrics.ts";
import { clusterProtocol, type PayTerms } from "../cluster/protocol.ts";
import type { KeeperOptions } from "../jobs/job-keeper.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import { type Reading, readingAgreed } from "../storage-node/context.ts";
import type { HealthCheck } from "../telemetry.ts";
import { bookSchema, type SignedTotal, WorkerBook } from "./book.ts";
import { Claimer, type Round, type Share } from "./claimer.ts";
import { RoundOverError, UnfairProviderError } from "./errors.ts";
import { mostAtRisk } from "./risk.ts";
import { Worker } from "./worker.ts";

export type WorkerKeeperOptions = KeeperOptions & {
  /** The keeper's node; it is not closed here. */
  readonly host: Host;
  /** Multiaddr of the provider, with its peer id. */
  readonly provider: string;
  readonly executor: PartsExecutor;
  readonly limits: MachineLimits;
  /** Least pay for a chunk, in base units of the token. */
  readonly leastPay: bigint;
  /** Chunks that it computes for a provider beyond those that are paid for: what it is ready to lose. */
  readonly mostUnpaid: number;
};

/** Milliseconds for which the provider may say nothing, not even that it has no work, before the worker counts as ill. */
const longestSilence = 5 * 60_000;

/** A worker that collects what it earns. Its last countersigned totals are all that it must not lose: they are on disk. */
export class WorkerKeeper {
  readonly #options: WorkerKeeperOptions;
  readonly #state: State;
  readonly #agreed: Reading;
  readonly #worker: Worker;
  readonly #claimer: Claimer;
  readonly #book: WorkerBook;

  private constructor(options: WorkerKeeperOptions, state: State) {
    this.#options = options;
    this.#state = state;
    const { account, chain, deployment, log, interval = 2_000, host, provider, executor, limits } = options;
    const registry = options.metrics ?? new Registry();
    const book = new WorkerBook(state);
    this.#book = book;
    const metrics = new WorkMetrics(registry, () =>
      book.unsettled().reduce((sum, { total }) => sum + total, 0n),
    );
    this.#worker = new Worker({
      host,
      provider,
      account,
      executor,
      threads: limits.threads,
      memoryBytes: limits.memoryBytes,
      book,
      accept: (pay) => this.#accept(pay),
      mostAtRisk: (pay) => this.#mostAtRisk(pay, book),
      log,
      onResult: (verdict) => metrics.delivered(verdict),
    });
    const contracts = connectContracts(chain.public, deployment);
    this.#agreed = readingAgreed({ client: chain, contracts, deployment });
    this.#claimer = new Claimer({
      operator: account.address,
      client: chain,
      deployment,
      contracts,
      agreed: this.#agreed,
      queue: createTransactionQueue({
        client: chain,
        state,
        account,
        pollInterval: interval,
        observer: observeQueue({ log, metrics: registry }),
      }),
      log,
      book,
      share: (signed) => this.#share(signed),
    });
  }

  static async open(options: WorkerKeeperOptions): Promise<WorkerKeeper> {
    await privateFolder(options.dataDirectory);
    const path = join(options.dataDirectory, "state.sqlite");
    return new WorkerKeeper(options, openState({ path, schemas: [transactionSchema, bookSchema] }));
  }

  /** What the worker says when it is asked for its health, part by part. */
  get healthChecks(): Readonly<Record<"chain" | "provider", HealthCheck>> {
    return {
      chain: checkChain(this.#options.chain),
      provider: () => {
        const silentMs = this.#worker.silence;
        return { ok: silentMs < longestSilence, silentMs };
      },
    };
  }

  /**
   * Works and collects until the signal. However the work ends, what is owed is collected first.
   * @throws UnfairProviderError, RefusalError: see `Worker.run`
   */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const collecting = this.#collect(AbortSignal.any([signal, ended.signal]));
    try {
      await this.#worker.run(signal);
    } catch (error) {
      await this.#outlast(signal, error as Error);
      throw error;
    } finally {
      ended.abort();
      await collecting;
    }
  }

  close(): void {
    this.#state.close();
  }

  /** Waits, once there is no more work, until every total that was countersigned is paid or can be claimed no longer. */
  async #outlast(signal: AbortSignal, { message }: Error): Promise<void> {
    const { log, interval = 2_000 } = this.#options;
    const owed = () => this.#book.unsettled().length;
    if (owed() > 0) log.warn({ reason: message, owed: owed() }, "no more work; staying until it is paid");
    while (!signal.aborted && owed() > 0) await delay(interval, undefined, { signal }).catch(() => undefined);
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { log, interval = 2_000 } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#claimer.tick();
      } catch (error) {
        log.warn({ reason: (error as Error).message }, "collecting pay failed and will be tried again");
      }
      await delay(interval, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A round must be open with a surety, on the contract that this worker knows: else a signature is worth nothing. */
  async #accept(pay: PayTerms | null): Promise<void> {
    const { deployment, leastPay, provider } = this.#options;
    if (pay === null) throw new UnfairProviderError(provider, "it does not pay");
    const rewards = addressOf(deployment, "WorkerRewards");
    if (pay.chainId !== deployment.chainId || pay.rewards.toLowerCase() !== rewards.toLowerCase()) {
      throw new UnfairProviderError(pay.provider, "it pays on another chain or contract");
    }
    if (BigInt(pay.perChunk) < leastPay) throw new UnfairProviderError(pay.provider, "it pays too little");
    const round = await this.#roundOf(pay);
    // Who comes back while the pay is dealt out stays: nobody else fetches its own.
    if (round.forceUntil !== 0) throw new RoundOverError(pay.provider);
    if (round.openedAt === 0 || round.surety < BigInt(pay.perChunk)) {
      throw new UnfairProviderError(pay.provider, "it has no round with a surety open for the job");
    }
  }

  async #mostAtRisk(pay: PayTerms, book: WorkerBook): Promise<bigint> {
    const { mostUnpaid, provider: address } = this.#options;
    const round = await this.#roundOf(pay);
    return mostAtRisk(pay, { mostUnpaid, address, round, unsettled: book.unsettled() });
  }

  /** By what the endpoints agree on: one alone could show a round that is not there, and have a worker work for nothing. */
  #roundOf({ jobId, provider }: PayTerms): Promise<Round> {
    return this.#agreed.contracts.WorkerRewards.read.roundOf([BigInt(jobId), provider]);
  }

  async #share({ address, jobId }: SignedTotal): Promise<Share | undefined> {
    const { host, account, log } = this.#options;
    try {
      const client = await RpcClient.connect(host, clusterProtocol, address);
      try {
        const asked = { jobId: String(jobId), account: account.address };
        const { total, index, proof } = (await client.ask("share", asked)).result;
        const siblings = proof.map(({ node, sum }) => ({ node, sum: BigInt(sum) }));
        return { total: BigInt(total), index, proof: siblings };
      } finally {
        await client.close();
      }
    } catch (error) {
      log.debug({ reason: (error as Error).message }, "the provider does not say where this worker stands");
      return undefined;
    }
  }
}
