import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeFunctionData, type Hex, type LocalAccount } from "viem";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { type ChainClient, connectChain } from "../../../../keepers/src/chain/client.ts";
import { addressOf, connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import { deployContracts } from "../../../../keepers/src/chain/deploy.ts";
import { type Circuit, type Deployment, writeDeployment } from "../../../../keepers/src/chain/deployment.ts";
import {
  createTransactionQueue,
  type TransactionQueue,
} from "../../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../../keepers/src/chain/transactions/store.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../../../keepers/src/roles/embedded/chain.ts";
import { embeddedParameters } from "../../../../keepers/src/roles/embedded/parameters.ts";
import { mostEpochs } from "../../../../keepers/src/roles/storage-node/asking.ts";
import { Ledger, ledgerSchema } from "../../../../keepers/src/roles/storage-node/ledger.ts";
import { Possession } from "../../../../keepers/src/roles/storage-node/possession.ts";
import { registerStorageOperator } from "../../../../keepers/src/roles/storage-node/register.ts";
import { StorageService } from "../../../../keepers/src/roles/storage-node/service.ts";
import { Shelf, shelfSchema } from "../../../../keepers/src/roles/storage-node/shelf.ts";
import { Vault } from "../../../../keepers/src/roles/storage-node/vault.ts";
import { FileSystemStore } from "../../../../keepers/src/storage/backends/file-system.ts";
import { createStorageClient, type StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import type { Prover } from "../../../../keepers/src/storage/prover/prover.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { ShardServer, type ShardService } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";

export const tokens = 10n ** 18n;
/** Backs 50 bundles. */
const stake = 5_000n * tokens;

/** An honest storage node without audits, until a test makes it misbehave. */
export type TestNode = {
  account: LocalAccount;
  operator: Hex;
  service: StorageService;
  writer: StorageWriter;
  /** Replaces methods of the service; `{}` makes the node honest again. */
  misbehave(methods: Partial<ShardService>): void;
  stop(): Promise<void>;
};

export type TestNetwork = {
  folder: string;
  chain: EmbeddedChain;
  client: ChainClient;
  deployment: Deployment;
  deploymentFile: string;
  /** Account that pays, with its index in the development mnemonic. */
  owner: LocalAccount;
  ownerIndex: number;
  nodes: TestNode[];
  addNode(): Promise<TestNode>;
  /** A client of an account, with state of its own. */
  writer(account?: LocalAccount): Promise<StorageWriter>;
  /** Runs a call of an account. */
  send(account: LocalAccount, call: { to: Hex; data: Hex; value: bigint; gas?: bigint }): Promise<void>;
  balance(): Promise<bigint>;
  close(): Promise<void>;
};

/** A chain with all contracts, and nodes that keep bundles on disk and talk over the loopback interface. */
export async function startTestNetwork(count: number, prover: Prover = noProver): Promise<TestNetwork> {
  const folder = await mkdtemp(join(tmpdir(), "assay-client-"));
  const chain = await startEmbeddedChain();
  const artifacts = await setupCircuits();
  const keys = Object.fromEntries(
    artifacts.map(({ name, verifyingKeyBytes }) => [name, new Uint8Array(readFileSync(verifyingKeyBytes))]),
  ) as Record<Circuit, Uint8Array>;
  const deployment = await deployContracts({
    network: "localhost",
    url: chain.rpcUrl,
    beacon: "CommitRevealBeacon",
    keys,
    parameters: embeddedParameters(),
  });
  const client = await connectChain({ chainId: chain.chainId, urls: [chain.rpcUrl], requestsPerSecond: 1e6 });
  const closers: (() => Promise<unknown>)[] = [];
  const network = new Network({ folder, chain, client, deployment, closers, prover });
  await network.fund(network.owner.address, 1_000_000n * tokens);
  for (let i = 0; i < count; i++) await network.addNode();
  return network;
}

const noProver: Prover = {
  prove: () => Promise.reject(new Error("these nodes make no proofs")),
  close: async () => undefined,
};

type Parts = Pick<TestNetwork, "folder" | "chain" | "client" | "deployment"> & {
  prover: Prover;
  closers: (() => Promise<unknown>)[];
};

class Network implements TestNetwork {
  readonly folder: string;
  readonly chain: EmbeddedChain;
  readonly client: ChainClient;
  readonly deployment: Deployment;
  readonly deploymentFile: string;
  readonly ownerIndex = 19;
  readonly nodes: TestNode[] = [];
  readonly #closers: Parts["closers"];
  readonly #prover: Prover;
  #made = 0;

  constructor({ folder, chain, client, deployment, closers, prover }: Parts) {
    this.#prover = prover;
    this.folder = folder;
    this.chain = chain;
    this.client = client;
    this.deployment = deployment;
    this.deploymentFile = writeDeployment(deployment, join(folder, "deployments"));
    this.#closers = closers;
  }

  get owner(): LocalAccount {
    return this.chain.account(this.ownerIndex);
  }

  async fund(to: Hex, amount: bigint): Promise<void> {
    const data = encodeFunctionData({ abi: abis.AssayToken, functionName: "transfer", args: [to, amount] });
    const token = addressOf(this.deployment, "AssayToken");
    await this.send(this.chain.account(0), { to: token, data, value: 0n });
  }

  async send(
    account: LocalAccount,
    call: { to: Hex; data: Hex; value: bigint; gas?: bigint },
  ): Promise<void> {
    const wallet = this.client.wallet(account);
    const hash = await wallet.sendTransaction(call);
    const { status } = await this.client.public.waitForTransactionReceipt({ hash, pollingInterval: 20 });
    if (status !== "success") throw new Error(`${hash} was reverted`);
  }

  async balance(): Promise<bigint> {
    const contracts = connectContracts(this.client.public, this.deployment);
    return contracts.AssayToken.read.balanceOf([this.owner.address]);
  }

  async writer(account: LocalAccount = this.owner): Promise<StorageWriter> {
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    return this.#writer(account, state, await this.#host([]));
  }

  async addNode(): Promise<TestNode> {
    const index = 1 + this.#made++;
    const account = this.chain.account(index);
    await this.fund(account.address, stake);
    const directory = join(this.folder, "nodes", String(index));
    const host = await this.#host(["/ip4/127.0.0.1/tcp/0"]);
    const state = openState({
      path: join(directory, "state.sqlite"),
      schemas: [ledgerSchema, shelfSchema, transactionSchema],
    });
    const writer = this.#writer(account, state, host);
    const service = await this.#service(directory, account, state, writer);
    let override: Partial<ShardService> = {};
    const proxy = new Proxy(service as ShardService, {
      get: (target, name) => {
        const methods = name in override ? override : target;
        return (methods[name as keyof ShardService] as () => unknown).bind(methods);
      },
    });
    const server = await ShardServer.start(host, proxy);
    let running = true;
    const node: TestNode = {
      account,
      operator: account.address,
      service,
      writer,
      misbehave: (methods) => {
        override = methods;
      },
      stop: async () => {
        if (!running) return;
        running = false;
        await server.stop();
        await host.stop();
      },
    };
    this.#closers.push(() => node.stop());
    await registerStorageOperator(writer, {
      peerId: host.peerId.toMultihash().bytes,
      endpoint: host.getMultiaddrs()[0]!.toString(),
      stake,
    });
    this.nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    await this.chain.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #service(directory: string, account: LocalAccount, state: State, writer: StorageWriter) {
    const { deployment, contracts } = writer;
    const shelf = new Shelf(state);
    const store = await FileSystemStore.open(join(directory, "blobs"));
    const commit = async (bytes: Uint8Array) => commitBundle(bytes);
    const vault = await Vault.open({ shelf, store, treeFolder: join(directory, "trees"), commit });
    const possession = new Possession({
      vault,
      prover: this.#prover,
      operator: account.address,
      chainId: deployment.chainId,
      auditContract: addressOf(deployment, "StorageAudit"),
      bundleRegistry: addressOf(deployment, "BundleRegistry"),
    });
    return new StorageService({
      account,
      deployment,
      contracts,
      shelf,
      vault,
      possession,
      staging: await UploadStaging.open(join(directory, "incoming")),
      capacity: 2 ** 30,
      asking: { leastFee: 0n, longestTerm: mostEpochs },
      chainTime: async () => (await this.client.public.getBlock({ blockTag: "latest" })).timestamp,
      receiptClock: async () => ({
        now: (await this.client.public.getBlock({ blockTag: "latest" })).timestamp,
        epoch: await contracts.DatasetRegistry.read.currentEpoch(),
        length: await contracts.DatasetRegistry.read.epochLength(),
      }),
      ledger: new Ledger(state),
    });
  }

  async #host(listen: string[]): Promise<Host> {
    const host = await createHost({ localNetwork: true, listen });
    this.#closers.push(async () => host.stop());
    return host;
  }

  #writer(account: LocalAccount, state: State, host: Host): StorageWriter & { queue: TransactionQueue } {
    const { client: chain, deployment } = this;
    const client = createStorageClient({ chain, deployment, host });
    this.#closers.push(async () => {
      await client.peers.close();
      state.close();
    });
    return {
      ...client,
      account,
      queue: createTransactionQueue({ client: chain, state, account, pollInterval: 20 }),
    };
  }
}
