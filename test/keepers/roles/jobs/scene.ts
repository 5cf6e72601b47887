import assert from "node:assert/strict";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Hex, LocalAccount } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import type { Conditions } from "../../../../keepers/src/core/market/types.ts";
import {
  type ChallengerOptions,
  openChallenger,
} from "../../../../keepers/src/roles/challenger/challenger.ts";
import { Consumer } from "../../../../keepers/src/roles/consumer/consumer.ts";
import { type DescribedOrder, describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import type { ResultWatchOptions } from "../../../../keepers/src/roles/consumer/result-watch.ts";
import { cheatingWorker, type Flip } from "../../../../keepers/src/roles/embedded/cheating-worker.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { JobRecord, JobStatus } from "../../../../keepers/src/roles/jobs/job-record.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { openJanitor } from "../../../../keepers/src/roles/jobs/open-janitor.ts";
import { openProvider, type ProviderOptions } from "../../../../keepers/src/roles/provider/provider.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import type { LoadedConfig } from "../../../../keepers/src/training/config/load-config.ts";
import { checkConfig } from "../../../../keepers/src/training/config/parse.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { type JobNetwork, type JobNetworkOptions, startJobNetwork, tokens } from "./network.ts";
import { StorageDouble } from "./storage-double.ts";

/** What is trained: a small network on the built-in digits, 40 steps, 8 intervals. */
export const digitsConfig = checkConfig(
  {
    dataset: { source: "digits", split: { seed: 1, train: "4/5" } },
    input: { exponent: -4 },
    model: { kind: "mlp", hidden: [16] },
    microBatch: 32,
    steps: 40,
    interval: 5,
    learningRate: 0.1,
    seed: 7,
  },
  "the test's configuration",
) as LoadedConfig;

export const limits = { threads: 1, memoryBytes: 2 ** 30 };
export const maximumPrice = 100n * tokens;
export const floor = 10n * tokens;

/** A worker that flips one bit of a weight in interval 4. */
export const flip: Flip = { step: 23, slot: 0, element: 101, bit: 13 };
export const cheat: SessionWrapper = (session, firstStep) =>
  cheatingWorker(session, { ...flip, step: flip.step - firstStep });

export type Ticking = { tick(): Promise<void> };

/** A chain with the digits stored and a consumer; providers and challengers come when they are called. */
export class Scene {
  readonly network: JobNetwork;
  readonly storage: StorageDouble;
  readonly owner: LocalAccount;
  readonly datasetId: Hex;
  readonly consumer: Consumer;
  readonly #log: Logger;
  readonly #keepers: JobKeeper[] = [];
  #next = 2;

  private constructor(parts: {
    network: JobNetwork;
    storage: StorageDouble;
    owner: LocalAccount;
    datasetId: Hex;
    consumer: Consumer;
    log: Logger;
  }) {
    this.network = parts.network;
    this.storage = parts.storage;
    this.owner = parts.owner;
    this.datasetId = parts.datasetId;
    this.consumer = parts.consumer;
    this.#log = parts.log;
  }

  /** @param results how the consumer looks after what it pays for; it does not by default */
  static async start(
    options: JobNetworkOptions & { readonly results?: Omit<ResultWatchOptions, "storage"> } = {},
  ): Promise<Scene> {
    const log = pino({ level: process.env.LOG_LEVEL ?? "silent" });
    const network = await startJobNetwork(options);
    const storage = new StorageDouble(network);
    const owner = network.chain.account(1);
    await network.give(owner.address, 10_000n * tokens);
    const datasetId = await storage.putObjects(owner, await readDigits());
    const consumer = await Consumer.open({
      dataDirectory: join(network.folder, "consumer"),
      account: owner,
      chain: network.client,
      deployment: network.deployment,
      log: log.child({ who: "consumer" }),
      interval: 20,
      results: options.results && {
        storage: {
          chain: network.client,
          deployment: network.deployment,
          contracts: network.contracts,
          peers: storage.peers,
        },
        ...options.results,
      },
    });
    return new Scene({ network, storage, owner, datasetId, consumer, log });
  }

  async close(): Promise<void> {
    for (const keeper of this.#keepers) await keeper.stop();
    await this.consumer.stop();
    await this.network.close();
  }

  /** A funded account that nobody else has. */
  account(): LocalAccount {
    return this.network.chain.account(this.#next++);
  }

  async order(
    config: LoadedConfig = digitsConfig,
    conditions: Partial<Conditions> = {},
  ): Promise<DescribedOrder> {
    return describeOrder({
      consumer: this.owner.address,
      config,
      dataset: await this.storage.of(this.owner).objects(this.datasetId, ""),
      folder: this.network.folder,
      executor: nativeExecutor,
      conditions: { maximumPrice, trainingTime: 3_600, ...conditions },
      expiry: BigInt(await this.network.chain.now()) + 7_200n,
    });
  }

  /** Makes an account a provider; it has stake for several jobs. */
  async stake(account: LocalAccount): Promise<void> {
    await this.network.stake(account, 1_000n * tokens);
    await this.network.give(account.address, 100n * tokens);
  }

  /** Registered storage nodes, with stake for the bundles of a few results. */
  async holders(count: number): Promise<LocalAccount[]> {
    const { deployment, send, give } = this.network;
    const { Staking, BundleRegistry } = deployment.addresses;
    const amount = 1_000n * tokens;
    const accounts = Array.from({ length: count }, () => this.account());
    for (const account of accounts) {
      await give(account.address, amount);
      const act = (call: Parameters<typeof send>[1]) => send(account, call);
      await act(encodeCall(deployment, "AssayToken", "approve", [Staking, amount]));
      await act(encodeCall(deployment, "Staking", "register", [1, "0x01", "/ip4/127.0.0.1/tcp/1"]));
      await act(encodeCall(deployment, "Staking", "stake", [amount]));
      await act(encodeCall(deployment, "Staking", "approve", [BundleRegistry, amount]));
    }
    return accounts;
  }

  /** A provider that is registered and staked already; opened again, it goes on with what it has on disk. */
  async openProvider(
    account: LocalAccount,
    options: Partial<Omit<ProviderOptions, "account" | "deployment" | "dataDirectory">> = {},
  ): Promise<JobKeeper> {
    return openProvider({
      dataDirectory: join(this.network.folder, account.address),
      account,
      chain: this.network.client,
      deployment: this.network.deployment,
      log: this.#log.child({ who: `provider ${account.address.slice(0, 6)}` }),
      interval: 20,
      storage: () => this.storage.of(account),
      executor: nativeExecutor,
      limits,
      abilities: { compute: 1, region: 1n, regulations: 0n, privacyTier: 0 },
      costs: { perHour: tokens, floor, perOpening: 0n },
      // Whatever a tick begins it ends, however busy the machine is.
      patience: 600_000,
      ...options,
    });
  }

  /** A new provider, stopped at the end. */
  async provider(options: Parameters<Scene["openProvider"]>[1] = {}): Promise<JobKeeper> {
    const account = this.account();
    await this.stake(account);
    const keeper = await this.openProvider(account, options);
    this.#keepers.push(keeper);
    return keeper;
  }

  async openChallenger(
    account: LocalAccount,
    options: Partial<Omit<ChallengerOptions, "account" | "deployment" | "dataDirectory">> = {},
  ): Promise<JobKeeper> {
    return openChallenger({
      dataDirectory: join(this.network.folder, account.address),
      account,
      chain: this.network.client,
      deployment: this.network.deployment,
      log: this.#log.child({ who: `challenger ${account.address.slice(0, 6)}` }),
      interval: 20,
      storage: this.storage.of(account),
      executor: nativeExecutor,
      limits,
      budget: 1_000,
      // Whatever a tick begins it ends, however busy the machine is.
      patience: 600_000,
      ...options,
    });
  }

  /** A new challenger, stopped at the end. */
  async challenger(
    account: LocalAccount = this.account(),
    options: Parameters<Scene["openChallenger"]>[1] = {},
  ): Promise<JobKeeper> {
    const keeper = await this.openChallenger(account, options);
    this.#keepers.push(keeper);
    return keeper;
  }

  /** A new keeper that tidies up for everybody, stopped at the end. */
  async janitor(): Promise<JobKeeper> {
    const account = this.account();
    const keeper = await openJanitor({
      dataDirectory: join(this.network.folder, account.address),
      account,
      chain: this.network.client,
      deployment: this.network.deployment,
      log: this.#log.child({ who: "janitor" }),
      interval: 20,
    });
    this.#keepers.push(keeper);
    return keeper;
  }

  job({ orderHash }: Pick<DescribedOrder, "orderHash">): JobRecord | undefined {
    return this.consumer.jobOf(orderHash);
  }

  /** Ticks keepers in turn, and the consumer, until the job of an order has a status. */
  async until(described: DescribedOrder, status: JobStatus, keepers: readonly Ticking[]): Promise<JobRecord> {
    await this.untilHolds(`the status ${status}`, keepers, () => this.job(described)?.status === status);
    return this.job(described)!;
  }

  async untilHolds(
    what: string,
    keepers: readonly Ticking[],
    holds: () => boolean | Promise<boolean>,
  ): Promise<void> {
    for (let round = 0; round < 60; round++) {
      for (const keeper of [...keepers, this.consumer]) await keeper.tick();
      if (await holds()) return;
    }
    assert.fail(`waited in vain for ${what}`);
  }

  /** Ticks keepers a few times: whatever they would do, they do. */
  async settle(keepers: readonly Ticking[], rounds = 3): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const keeper of [...keepers, this.consumer]) await keeper.tick();
    }
  }
}
