import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Address, LocalAccount } from "viem";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import { createStorageClient, type StorageClient } from "../../storage/client/client.ts";
import { openState } from "../../storage/state/state.ts";
import { createHost, type Host } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import { nativeExecutor } from "../../training/executors/native.ts";
import { openChallenger } from "../challenger/challenger.ts";
import { Consumer } from "../consumer/consumer.ts";
import type { Duty } from "../jobs/duty.ts";
import type { JobKeeper, KeeperOptions } from "../jobs/job-keeper.ts";
import type { SessionWrapper } from "../jobs/job-run.ts";
import { createJobStorage, createResultStorage, type JobStorage } from "../jobs/job-storage.ts";
import { openProvider } from "../provider/provider.ts";
import { operatorRoles, registerOperator } from "../storage-node/register.ts";
import type { CheckerParts } from "../validator/checker.ts";
import type { Exchange } from "../validator/exchange.ts";
import { Libp2pExchange } from "../validator/libp2p-exchange.ts";
import { openValidator } from "../validator/validator.ts";
import type { EmbeddedNetwork } from "./network.ts";

export type JobCastOptions = { network: EmbeddedNetwork; folder: string; log?: Logger };

export type ProviderPart = {
  readonly name: string;
  /** Least price of a job, token base units: more than training a small model costs. */
  readonly floor: bigint;
  /** Whether it takes orders that come without an auction. */
  readonly takesOrders: boolean;
  readonly worker?: SessionWrapper;
};

export type ValidatorPart = {
  readonly name: string;
  /** What it does in place of executing its intervals again. */
  readonly checker?: (parts: CheckerParts) => Duty;
};

/** Somebody with a keeper that is at work. */
export type Member = {
  readonly name: string;
  readonly account: LocalAccount;
  /** Ends the keeper's work, and takes its node off the network. */
  stop(): Promise<void>;
};

const tokens = 10n ** 18n;
/** What a provider stakes, and has besides. */
export const providerStake = 1_000n * tokens;
export const providerTokens = 1_000n * tokens;

/** Units of stake that a validator enrols with: whoever lies and is slashed by one of them remains a validator. */
const validatorWeight = 2;
export const validatorStake = 200n * tokens;

/** How results are stored. */
const resultTerms = { k: 2, n: 3, feePerAudit: tokens / 1_000n, epochs: 1 };
/** What an hour costs: next to nothing, so that prices are the floors. */
const perHour = tokens / 1_000n;
/** Micro-batches that a challenger executes again at a time. */
const budget = 10_000;
/** Milliseconds between two looks at what is due; validators are many, and have minutes for what they do. */
const interval = 200;
const validatorInterval = 500;
/** Chain seconds after which the next validator takes up what the one before it should have done. */
const validatorTurn = 3;

export const limits = { threads: availableParallelism(), memoryBytes: 2 ** 30 };

/** Who has a part in the jobs of an embedded network: a consumer, and whoever is called in. All work until they are dismissed. */
export class JobCast {
  readonly consumer: Consumer;
  readonly owner: LocalAccount;
  /** What anybody reads. */
  readonly storage: JobStorage;
  readonly #options: JobCastOptions;
  /** How members of committees are asked by each other: nobody else is answered. */
  readonly exchange: Pick<Exchange, "digests"> = {
    digests: (operator, draw, signal) => {
      const others = [...this.#exchanges].filter(([asker]) => asker !== operator);
      return Promise.any(others.map(([, exchange]) => exchange.digests(operator, draw, signal)));
    },
  };
  readonly #exchanges = new Map<Address, Exchange>();
  readonly #client: StorageClient;
  readonly #peerId: Uint8Array;
  readonly #closers: (() => Promise<void>)[];
  readonly #names = new Map<Address, string>();
  #guests = 0;

  private constructor(
    options: JobCastOptions,
    parts: {
      consumer: Consumer;
      client: StorageClient;
      host: Host;
      closers: (() => Promise<void>)[];
    },
  ) {
    this.#options = options;
    const { host, client } = parts;
    this.#peerId = host.peerId.toMultihash().bytes;
    this.#client = client;
    this.#closers = parts.closers;
    this.consumer = parts.consumer;
    this.owner = options.network.owner;
    this.storage = createJobStorage(client);
    this.#names.set(this.owner.address, "consumer");
  }

  static async open(options: JobCastOptions): Promise<JobCast> {
    const { client: chain, deployment, owner } = options.network;
    const host = await createHost({ localNetwork: true });
    const client = createStorageClient({ chain, deployment, host });
    const consumer = await Consumer.open(keeperOptions(options, "consumer", owner));
    consumer.run();
    const closers = [
      async () => {
        await client.peers.close();
        await host.stop();
      },
      () => consumer.stop(),
    ];
    return new JobCast(options, { consumer, client, host, closers });
  }

  /** Everybody so far, by account. */
  get names(): ReadonlyMap<Address, string> {
    return this.#names;
  }

  /** A new provider: registered, with stake and tokens. */
  async provider({ name, floor, takesOrders, worker }: ProviderPart): Promise<Member> {
    const { network } = this.#options;
    const account = this.#account(name);
    await network.give([account.address], providerStake + providerTokens);
    await this.#register(account);
    const keeper = await openProvider({
      ...keeperOptions(this.#options, name, account),
      storage: (queue) =>
        createResultStorage({ ...this.#client, account, queue }, resultTerms, (bytes) =>
          network.commitPool.commit(bytes),
        ),
      executor: nativeExecutor,
      limits,
      abilities: { compute: 1, region: 1n, regulations: 0n, privacyTier: 0 },
      costs: { perHour, floor, perOpening: 0n },
      takesOrders,
      worker,
    });
    return this.#employ(name, account, keeper);
  }

  /** New validators, each with a node of its own; they enrol by themselves. */
  async validators(parts: readonly ValidatorPart[]): Promise<Member[]> {
    const accounts = parts.map(({ name }) => this.#account(name));
    const addresses = accounts.map(({ address }) => address);
    await this.#options.network.give(addresses, validatorStake);
    return Promise.all(parts.map((part, i) => this.#validator(part, accounts[i]!)));
  }

  /** A new challenger; it needs coins alone. */
  async challenger(name: string): Promise<Member> {
    const account = this.#account(name);
    const keeper = await openChallenger({
      ...keeperOptions(this.#options, name, account),
      storage: this.storage,
      executor: nativeExecutor,
      limits,
      budget,
    });
    return this.#employ(name, account, keeper);
  }

  /** Ends the work of everybody. */
  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }

  #account(name: string): LocalAccount {
    const account = this.#options.network.guest(this.#guests++);
    this.#names.set(account.address, name);
    return account;
  }

  async #validator({ name, checker }: ValidatorPart, account: LocalAccount): Promise<Member> {
    const { client: chain, deployment } = this.#options.network;
    const options = keeperOptions(this.#options, name, account);
    const privateKey = await loadOrCreateIdentity(options.dataDirectory);
    const host = await createHost({ localNetwork: true, privateKey, listen: ["/ip4/127.0.0.1/tcp/0"] });
    const client = createStorageClient({ chain, deployment, host });
    const endpoint = host.getMultiaddrs()[0]!.toString();
    const exchange = new Libp2pExchange({ host, endpoint, contracts: client.contracts });
    this.#exchanges.set(account.address, exchange);
    const keeper = await openValidator({
      ...options,
      interval: validatorInterval,
      storage: createJobStorage(client),
      executor: nativeExecutor,
      limits,
      exchange,
      weight: validatorWeight,
      turnSeconds: validatorTurn,
      checker,
    });
    return this.#employ(name, account, keeper, async () => {
      await client.peers.close();
      await host.stop();
    });
  }

  #employ(name: string, account: LocalAccount, keeper: JobKeeper, close = async () => {}): Member {
    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= keeper.stop().then(close);
      return stopped;
    };
    this.#closers.push(stop);
    keeper.run();
    return { name, account, stop };
  }

  async #register(account: LocalAccount): Promise<void> {
    const { client: chain } = this.#options.network;
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    const queue = createTransactionQueue({ client: chain, state, account, pollInterval: 50 });
    const client = { ...this.#client, account, queue };
    const role = operatorRoles.provider;
    await registerOperator(client, { peerId: this.#peerId, endpoint: "", stake: providerStake, role });
    state.close();
  }
}

function keeperOptions(
  { network, folder, log = pino({ level: "silent" }) }: JobCastOptions,
  name: string,
  account: LocalAccount,
): KeeperOptions {
  return {
    dataDirectory: join(folder, "jobs", name),
    account,
    chain: network.client,
    deployment: network.deployment,
    log: log.child({ keeper: name }),
    interval,
  };
}
