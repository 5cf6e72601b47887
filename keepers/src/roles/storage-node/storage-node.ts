import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Hex, LocalAccount } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { addressOf, connectContracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { createFollower, type Follower } from "../../chain/follower/follower.ts";
import { followerSchema } from "../../chain/follower/store.ts";
import { isLocalChain } from "../../chain/local-chains.ts";
import { OperatorSecrets } from "../../chain/secrets.ts";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import type { BundleCommitment } from "../../core/merkle/bundle-commitment.ts";
import type { BlobStore } from "../../storage/backends/backend.ts";
import { type BackendResources, openBackend, type StorageConfig } from "../../storage/backends/open.ts";
import { claimStore } from "../../storage/backends/owners.ts";
import { createStorageClient, type StorageWriter } from "../../storage/client/client.ts";
import type { GatewayStore } from "../../storage/gateway.ts";
import type { Prover } from "../../storage/prover/prover.ts";
import { privateFolder } from "../../storage/state/private-folder.ts";
import { openState, type State } from "../../storage/state/state.ts";
import { budgetOf } from "../../storage/transport/byte-budget.ts";
import { endpointOf } from "../../storage/transport/endpoint.ts";
import { guaranteedTo } from "../../storage/transport/guarantees.ts";
import { createHost, type Host } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import { shareOfThread } from "../../storage/transport/peer-limits.ts";
import { ShardServer } from "../../storage/transport/shard-service.ts";
import { UploadStaging } from "../../storage/transport/upload-staging.ts";
import { observeFollower, observeQueue } from "../chain-metrics.ts";
import { type Asking, mostEpochs } from "./asking.ts";
import { Auditor } from "./auditor.ts";
import { BeaconMember, beaconSchema } from "./beacon-member.ts";
import { Cashier, type Earnings } from "./cashier.ts";
import { chainTime, type DutyContext, readingAgreed, readingForStrangers } from "./context.ts";
import { CoverRegistrar } from "./cover.ts";
import { DrandRelay } from "./drand-relay.ts";
import { Janitor } from "./janitor.ts";
import { agreedClock } from "./kept-reads.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "./ledger.ts";
import { Possession } from "./possession.ts";
import { PublicBlobs } from "./public-blobs.ts";
import { heldCells, Publisher } from "./publisher.ts";
import { RegisteredPeers, registeredSchema } from "./registered-peers.ts";
import { Repairer } from "./repairer.ts";
import { RetrievalWatcher } from "./retrieval-watcher.ts";
import { StorageService } from "./service.ts";
import { Shelf, type ShelvedBundle, shelfSchema } from "./shelf.ts";
import { measureStrangers } from "./strangers-metrics.ts";
import { Vault } from "./vault.ts";
import { Watcher } from "./watcher.ts";

export type StorageNodeOptions = {
  /** Folder of everything this node keeps: identity, state, bundles. */
  dataDirectory: string;
  account: LocalAccount;
  chain: ChainClient;
  deployment: Deployment;
  /** Multiaddrs to listen on. */
  listen: string[];
  /** Multiaddrs to tell others, when they differ. */
  announce?: string[];
  /** Whether keepers are dialled at private addresses, too; by default on local chains alone. */
  localNetwork?: boolean;
  /** Where bundles are kept; IPFS blocks in the data folder by default. */
  storage?: StorageConfig;
  /** Secrets that the store asks for. */
  storageSecrets?: Omit<BackendResources, "host">;
  /** Bytes of bundles this node is willing to keep. */
  capacity: number;
  /** Least fee and longest term; any that the contracts allow by default. */
  asking?: Asking;
  prover: Prover;
  /** Recomputes both trees of a bundle, on as many cores as there are. */
  commit: (bytes: Uint8Array) => Promise<BundleCommitment>;
  log: Logger;
  /** Milliseconds between two looks at what is due. */
  interval?: number;
  /** Chain seconds between the turns of two operators for work that one is enough for. */
  stagger?: number;
  /** Answered audits that are claimed together. */
  claimEvery?: number;
  /** Bundles without a cover from which on they get one, 1 to 64; left out, each bundle answers for itself. */
  coverFrom?: number;
  /** Takes the node's metrics; no other keeper may write to the same. */
  metrics?: Registry;
  /** Base URLs of drand relays, where drand is the beacon. */
  drandRelays?: readonly string[];
};

type Duties = {
  auditor: Auditor;
  publisher: Publisher;
  retrievalWatcher: RetrievalWatcher;
  watcher: Watcher;
  repairer: Repairer;
  cashier: Cashier;
  member: BeaconMember | undefined;
  relay: DrandRelay | undefined;
  covers: CoverRegistrar | undefined;
  janitor: Janitor;
  registered: RegisteredPeers;
};

/** Milliseconds for which what strangers ask of the chain is taken as it was read. */
const readsKeptFor = 3_000;

const schemas = [
  followerSchema,
  transactionSchema,
  ledgerSchema,
  shelfSchema,
  beaconSchema,
  registeredSchema,
];

/**
 * The storage role: accepts bundles whose roots it has checked, answers their audits, keeps the audits of others going,
 * repairs lost bundles, claims what it earned. Everything that matters is on disk or on chain: it may be killed at any
 * point and started again.
 */
export class StorageNode {
  readonly #options: StorageNodeOptions;
  readonly #parts: { state: State; host: Host; store: BlobStore; server: ShardServer; follower: Follower };
  readonly #shelf: Shelf;
  readonly #blobs: PublicBlobs;
  readonly #storage: StorageWriter & Pick<DutyContext, "queue">;
  readonly #duties: Duties;
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];

  private constructor(
    options: StorageNodeOptions,
    parts: { state: State; host: Host; store: BlobStore; server: ShardServer; follower: Follower },
    duties: Duties & { ledger: Ledger; shelf: Shelf; storage: StorageWriter & Pick<DutyContext, "queue"> },
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#duties = duties;
    this.#shelf = duties.shelf;
    this.#blobs = new PublicBlobs(duties.shelf, parts.store);
    this.#storage = duties.storage;
  }

  /**
   * Opens state and stores and serves peers; duties begin with {@link run}.
   * @throws StoreTakenError where another keeper has its bundles in the same store; whatever opening one of them throws
   */
  static async start(options: StorageNodeOptions): Promise<StorageNode> {
    const { dataDirectory, account, chain, deployment, log, capacity, prover, commit } = options;
    await privateFolder(dataDirectory);
    const state = openState({ path: join(dataDirectory, "state.sqlite"), schemas });
    const strangers = readingForStrangers({ client: chain, deployment });
    const ledger = new Ledger(state);
    const holders = () => ledger.holders();
    const registered = RegisteredPeers.of({ client: chain, deployment, holders, state });
    const isRegistered = (peer: string) => registered.has(peer);
    const host = await createHost({
      isRegistered,
      privateKey: await loadOrCreateIdentity(dataDirectory),
      listen: options.listen,
      announce: options.announce,
      localNetwork: options.localNetwork ?? isLocalChain(deployment.chainId),
    });
    const store = await openBackend(
      options.storage ?? { kind: "helia", directory: join(dataDirectory, "blobs") },
      { ...options.storageSecrets, host },
    );
    const registry = addressOf(deployment, "BundleRegistry");
    try {
      await claimStore(store, `${deployment.chainId}-${registry}-${account.address}`.toLowerCase());
    } catch (error) {
      await store.close();
      await host.stop();
      state.close();
      throw error;
    }
    const contracts = connectContracts(chain.public, deployment);
    const observed = options.metrics && { log, metrics: options.metrics };
    const queue = createTransactionQueue({
      client: chain,
      state,
      account,
      pollInterval: options.interval ?? 2000,
      // What others do in the same block can double the work: the last reveal of a session also makes its seed.
      gasMargin: 100,
      observer: observed && observeQueue(observed),
    });
    const context: DutyContext = {
      operator: account.address,
      client: chain,
      deployment,
      contracts,
      agreed: readingAgreed({ client: chain, contracts, deployment }),
      queue,
      log,
    };
    const secrets = await OperatorSecrets.open(account, deployment.chainId);
    const shelf = new Shelf(state);
    const vault = await Vault.open({ shelf, store, treeFolder: join(dataDirectory, "trees"), commit });
    const possession = new Possession({
      vault,
      prover,
      operator: account.address,
      chainId: deployment.chainId,
      auditContract: addressOf(deployment, "StorageAudit"),
      bundleRegistry: addressOf(deployment, "BundleRegistry"),
    });
    const asking = options.asking ?? { leastFee: 0n, longestTerm: mostEpochs };
    const staging = await UploadStaging.open(join(dataDirectory, "incoming"));
    const service = new StorageService({
      isRegistered,
      account,
      deployment,
      contracts: strangers.contracts,
      shelf,
      vault,
      staging,
      possession,
      capacity,
      asking,
      chainTime: () => chainTime(strangers.client),
      receiptClock: () => agreedClock(context),
      // Local chains leap in time, and what was just read is wrong at once.
      keptFor: isLocalChain(deployment.chainId) ? 0 : readsKeptFor,
      ledger,
    });
    const guarantees = [guaranteedTo(isRegistered)];
    const server = await ShardServer.start(host, service, { inAll: shareOfThread, isRegistered, guarantees });
    if (options.metrics !== undefined) {
      const connections = () => host.getConnections().length;
      measureStrangers(options.metrics, { budget: budgetOf(host), server, service, connections });
    }
    const follower = createFollower({
      client: chain,
      state,
      deployment,
      contracts: [
        "DatasetRegistry",
        "BundleRegistry",
        "RetrievalChallenges",
        ...(deployment.beacon === "CommitRevealBeacon" ? (["CommitRevealBeacon"] as const) : []),
      ],
      handler: ledgerHandler,
      pollInterval: options.interval ?? 2000,
      observer: observed && observeFollower(observed),
    });
    const storage = {
      ...createStorageClient({ chain, deployment, host, ipfs: store }),
      account,
      queue,
    };
    const stagger = BigInt(options.stagger ?? 60);
    return new StorageNode(
      options,
      { state, host, store, server, follower },
      {
        ledger,
        shelf,
        storage,
        registered,
        auditor: new Auditor({ ...context, ledger, shelf, possession }),
        publisher: new Publisher({ ...context, ...heldCells(context.operator, ledger, shelf, vault) }),
        retrievalWatcher: new RetrievalWatcher({ ...context, ledger, stagger }),
        watcher: new Watcher({ ...context, ledger, stagger }),
        repairer: new Repairer({
          ...context,
          ledger,
          shelf,
          vault,
          possession,
          storage,
          capacity,
          asking,
          stagger,
        }),
        cashier: new Cashier({ ...context, ledger, claimEvery: BigInt(options.claimEvery ?? 24) }),
        member:
          deployment.beacon === "CommitRevealBeacon"
            ? new BeaconMember({ ...context, ledger, state, secrets })
            : undefined,
        relay:
          deployment.beacon === "DrandBeacon"
            ? new DrandRelay({ ...context, relays: options.drandRelays ?? [] })
            : undefined,
        janitor: new Janitor({ ...context, ledger, shelf, vault, service, asking }),
        covers:
          options.coverFrom === undefined
            ? undefined
            : new CoverRegistrar({ ...context, ledger, shelf, prover, minimum: options.coverFrom }),
      },
    );
  }

  /** The libp2p peer id as registered on chain: multihash bytes. */
  get peerId(): Uint8Array {
    return this.#parts.host.peerId.toMultihash().bytes;
  }

  /** Where this node is reached, with its peer id, as {@link endpointOf} has it. */
  get endpoint(): string {
    const endpoint = endpointOf(this.#parts.host.getMultiaddrs());
    if (endpoint === undefined) throw new Error("the node listens nowhere");
    return endpoint;
  }

  get operator(): Hex {
    return this.#options.account.address;
  }

  /** What this node needs to act on chain for its operator. */
  get storage(): StorageWriter & Pick<DutyContext, "queue"> {
    return this.#storage;
  }

  /** Where anybody may read its bundles and manifests. */
  get blobs(): GatewayStore {
    return this.#blobs;
  }

  /** Bundles whose bytes are here. */
  bundles(): ShelvedBundle[] {
    return this.#shelf.all();
  }

  earnings(): Promise<Earnings> {
    return this.#duties.cashier.earnings();
  }

  claimAll(): Promise<void> {
    return this.#duties.cashier.claimAll();
  }

  /** Takes up the duties; returns at once. */
  run(): void {
    const { follower } = this.#parts;
    const { auditor, publisher, watcher, repairer, cashier, member, relay, covers, janitor } = this.#duties;
    const { retrievalWatcher, registered } = this.#duties;
    const { signal } = this.#stopping;
    this.#loops = [
      this.#loop("following", async () => {
        await follower.catchUp();
      }),
      this.#loop("beacon", async () => {
        await member?.tick();
        await relay?.tick(await chainTime(this.#options.chain));
      }),
      this.#loop("audits", async () => {
        await auditor.tick(signal);
      }),
      this.#loop("retrievals", async () => {
        await publisher.tick(signal);
      }),
      this.#loop("covers", async () => {
        await covers?.tick(signal);
      }),
      this.#loop("watching", () => watcher.tick()),
      this.#loop("watching retrievals", () => retrievalWatcher.tick(signal)),
      this.#loop("repairs", async () => {
        await repairer.tick(signal);
      }),
      this.#loop("earnings", () => cashier.tick()),
      this.#loop("tidying", () => janitor.tick()),
      this.#loop("registered peers", () => registered.tick()),
    ];
  }

  /** Ends the duties, waits for what is under way, and closes everything. */
  async stop(): Promise<void> {
    const { server, store, host, state } = this.#parts;
    this.#stopping.abort(new Error("the node is stopping"));
    await server.stop();
    await Promise.all(this.#loops);
    await this.#duties.repairer.close();
    await this.#storage.peers.close();
    await store.close();
    await host.stop();
    state.close();
  }

  /** Runs a duty again and again. A failure is logged and tried again: nothing but a stop ends a duty. */
  async #loop(name: string, work: () => Promise<void>): Promise<void> {
    const { log, interval = 2000 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ duty: name, reason: (error as Error).message }, "a duty failed and will be tried again");
      }
      await delay(interval, undefined, { signal, ref: true }).catch(() => undefined);
    }
  }
}
