import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { Address, Hex, LocalAccount } from "viem";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { type ChainClient, connectChain } from "../../chain/client.ts";
import { encodeCall } from "../../chain/contracts.ts";
import { deployContracts } from "../../chain/deploy.ts";
import { type Circuit, circuits, type Deployment, writeDeployment } from "../../chain/deployment.ts";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { type Gateway, serveGateway } from "../../storage/gateway.ts";
import { ProcessProver } from "../../storage/prover/process-prover.ts";
import type { ProverCircuit } from "../../storage/prover/prover.ts";
import { openState } from "../../storage/state/state.ts";
import { registerStorageOperator } from "../storage-node/register.ts";
import { StorageNode } from "../storage-node/storage-node.ts";
import { developmentAccounts, type EmbeddedChain, startEmbeddedChain } from "./chain.ts";
import { type EmbeddedTiming, embeddedParameters } from "./parameters.ts";

export type EmbeddedNetworkOptions = {
  /** Folder of everything the network keeps; emptied by nobody. */
  folder: string;
  /** Storage nodes to start. */
  nodes: number;
  /** Port of the JSON-RPC endpoint; a free one by default. */
  port?: number;
  timing?: Partial<EmbeddedTiming>;
  /** Bundles from which on a node registers a cover for them; none by default. */
  coverFrom?: number;
  log?: Logger;
  onProgress?: (line: string) => void;
};

/** Accounts of the development mnemonic: who deploys, with the nodes behind it; the client; and whoever else comes. */
const deployer = 0;
const clientAccount = 19;
const firstGuest = clientAccount + 1;
const mostNodes = clientAccount - deployer - 1;
/** How many accounts {@link EmbeddedNetwork.guest} has. */
export const guestAccounts = developmentAccounts - firstGuest;

/** Tokens each embedded operator stakes: enough for a few bundles and the beacon's bond. */
const operatorStake = 10_000n * 10n ** 18n;
const clientTokens = 1_000_000n * 10n ** 18n;
const nodeCapacity = 1 << 30;

/** Milliseconds for a request: there is no other endpoint to turn to, and on two cores proofs and training hold this one up. */
const embeddedTimeout = 120_000;

/**
 * A whole network in one process: a chain with a JSON-RPC endpoint, the contracts with development keys, and storage
 * nodes that talk to each other over libp2p on the loopback interface.
 */
export class EmbeddedNetwork {
  readonly chain: EmbeddedChain;
  readonly deployment: Deployment;
  readonly deploymentPath: string;
  readonly client: ChainClient;
  /** Account that owns datasets and pays for them. */
  readonly owner: LocalAccount;
  readonly commitPool: CommitPool;
  readonly prover: ProcessProver<ProverCircuit>;
  readonly #options: EmbeddedNetworkOptions;
  readonly #log: Logger;
  readonly #nodes = new Map<number, StorageNode>();
  #gateway: Gateway | undefined;

  private constructor(
    options: EmbeddedNetworkOptions,
    parts: {
      chain: EmbeddedChain;
      deployment: Deployment;
      deploymentPath: string;
      client: ChainClient;
      prover: ProcessProver<ProverCircuit>;
    },
  ) {
    this.#options = options;
    this.#log = options.log ?? pino({ level: "silent" });
    this.chain = parts.chain;
    this.deployment = parts.deployment;
    this.deploymentPath = parts.deploymentPath;
    this.client = parts.client;
    this.prover = parts.prover;
    this.owner = parts.chain.account(clientAccount);
    this.commitPool = new CommitPool({ workers: availableParallelism() });
  }

  static async start(options: EmbeddedNetworkOptions): Promise<EmbeddedNetwork> {
    const { folder, onProgress = () => {}, nodes } = options;
    if (nodes > mostNodes) throw new RangeError(`at most ${mostNodes} nodes fit`);
    await mkdir(folder, { recursive: true });
    onProgress("starting the chain");
    const chain = await startEmbeddedChain({ port: options.port });
    const artifacts = await setupCircuits({ onProgress });
    const keys = Object.fromEntries(
      await Promise.all(
        artifacts.map(async ({ name, verifyingKeyBytes }) => [name, await readFile(verifyingKeyBytes)]),
      ),
    ) as Record<Circuit, Uint8Array>;
    onProgress("deploying the contracts");
    const deployment = await deployContracts({
      network: "localhost",
      url: chain.rpcUrl,
      beacon: "CommitRevealBeacon",
      keys: Object.fromEntries(circuits.map((circuit) => [circuit, new Uint8Array(keys[circuit])])) as Record<
        Circuit,
        Uint8Array
      >,
      parameters: embeddedParameters(options.timing),
    });
    const deploymentPath = writeDeployment(deployment, join(folder, "deployments"));
    const client = await connectChain({
      chainId: chain.chainId,
      urls: [chain.rpcUrl],
      requestsPerSecond: 10_000,
      timeout: embeddedTimeout,
    });
    const prover = new ProcessProver<ProverCircuit>({
      circuits: Object.fromEntries(artifacts.map(({ name, wasm, zkey }) => [name, { wasm, zkey }])) as Record<
        ProverCircuit,
        { wasm: string; zkey: string }
      >,
    });
    const network = new EmbeddedNetwork(options, { chain, deployment, deploymentPath, client, prover });
    onProgress(`starting ${nodes} storage nodes`);
    await network.#fund(nodes);
    await Promise.all(Array.from({ length: nodes }, (_, index) => network.startNode(index)));
    network.#gateway = await serveGateway({
      stores: () => [...network.#nodes.values()].map(({ blobs }) => blobs),
      port: 0,
    });
    await network.#describe();
    return network;
  }

  get nodes(): ReadonlyMap<number, StorageNode> {
    return this.#nodes;
  }

  /** Address of a gateway to what the nodes hold: bundles and manifests by their CIDs, over HTTP. */
  get gateway(): string {
    return this.#gateway!.url;
  }

  /** Operator account of node `index`. */
  operator(index: number): LocalAccount {
    return this.chain.account(deployer + 1 + index);
  }

  /** Account `index` of those that neither nodes nor the client use; it has coins and no tokens. */
  guest(index: number): LocalAccount {
    if (index >= guestAccounts) throw new RangeError(`at most ${guestAccounts} guests fit`);
    return this.chain.account(firstGuest + index);
  }

  /** Key of {@link guest} `index`; everyone knows it. */
  guestKey(index: number): Hex {
    this.guest(index);
    return this.chain.privateKey(firstGuest + index);
  }

  /** Starts node `index`, for the first time or again from its folder. */
  async startNode(index: number): Promise<StorageNode> {
    const node = await StorageNode.start({
      dataDirectory: join(this.#options.folder, "nodes", String(index)),
      account: this.operator(index),
      chain: this.client,
      deployment: this.deployment,
      listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"],
      capacity: nodeCapacity,
      prover: this.prover,
      commit: (bytes) => this.commitPool.commit(bytes),
      log: this.#log.child({ node: index }),
      interval: 1000,
      stagger: 2,
      claimEvery: 4,
      coverFrom: this.#options.coverFrom,
    });
    await registerStorageOperator(node.storage, {
      peerId: node.peerId,
      endpoint: node.endpoint,
      stake: operatorStake,
    });
    node.run();
    this.#nodes.set(index, node);
    return node;
  }

  /** Takes node `index` off the network; its folder stays. */
  async stopNode(index: number): Promise<void> {
    const node = this.#nodes.get(index);
    this.#nodes.delete(index);
    await node?.stop();
  }

  async close(): Promise<void> {
    await this.#gateway?.close();
    await Promise.all([...this.#nodes.keys()].map((index) => this.stopNode(index)));
    await this.prover.close();
    await this.commitPool.close();
    await this.chain.close();
  }

  /** Gives tokens (base units) to each of some accounts. */
  async give(recipients: readonly Address[], amount: bigint): Promise<void> {
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    const account = this.chain.account(deployer);
    const queue = createTransactionQueue({ client: this.client, state, account, pollInterval: 50 });
    for (const recipient of recipients) {
      const call = encodeCall(this.deployment, "AssayToken", "transfer", [recipient, amount]);
      await queue.send({ ...call, key: `give:${recipient}` });
    }
    state.close();
  }

  /** Gives tokens to operators and to the client. */
  async #fund(nodes: number): Promise<void> {
    const operators = Array.from({ length: nodes }, (_, index) => this.operator(index).address);
    // As much again to replace what is slashed.
    await this.give(operators, 2n * operatorStake);
    await this.give([this.owner.address], clientTokens);
  }

  /** Writes what the command line needs to find this network. */
  async #describe(): Promise<void> {
    const description = {
      rpcUrl: this.chain.rpcUrl,
      chainId: this.chain.chainId,
      deployment: this.deploymentPath,
      accounts: [{ address: this.owner.address, privateKey: this.chain.privateKey(clientAccount) }],
    };
    const path = join(this.#options.folder, "network.json");
    await writeFile(path, `${JSON.stringify(description, null, 2)}\n`, { mode: 0o600 });
  }
}
