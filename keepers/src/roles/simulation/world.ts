import { readFile } from "node:fs/promises";
import {
  type Address,
  bytesToHex,
  type ContractFunctionArgs,
  type HDAccount,
  type Hex,
  keccak256,
  parseEventLogs,
  stringToHex,
  zeroHash,
} from "viem";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { abis, type ContractName } from "../../chain/abi/index.ts";
import {
  addressOf,
  type Contracts,
  connectContracts,
  encodeCall,
  type WriteName,
} from "../../chain/contracts.ts";
import { deployOn } from "../../chain/deploy.ts";
import { type Circuit, circuits, type Deployment } from "../../chain/deployment.ts";
import { stakeModules } from "../../chain/stake-modules.ts";
import { AssayError } from "../../core/errors.ts";
import { encodeOrder } from "../../core/exact/order.ts";
import { packageDigest } from "../../core/market/package.ts";
import { bidTypedData, orderHash } from "../../core/market/typed-data.ts";
import type { Bid, Order } from "../../core/market/types.ts";
import { bundlesTree } from "../../core/merkle/bundles-root.ts";
import { defaultConditions } from "../consumer/describe-order.ts";
import { problemOf } from "../jobs/published-program.ts";
import { operatorRoles } from "../storage-node/register.ts";
import { type Sent, SimulatedChain, type Snapshot } from "./chain.ts";
import { onDataset, type TinyJob } from "./tiny-job.ts";
import { makeTinyJob, type TinyJobName, tinyJobNames } from "./tiny-programs.ts";
import { ToldRun } from "./told-run.ts";

const tokens = 10n ** 18n;
const day = 86_400;

/** What a unit of gas costs everybody: the schedule's price, at which refunds must suffice (ignition/modules/Jobs.ts). */
export const gasPrice = 10n ** 9n;
/** What the consumer pays for a job. */
export const price = 40n * tokens;
const trainingTime = 30 * day;
/** Epochs for which results are stored. */
const epochs = 200;
const bundles = 3;

/** Accounts of the development mnemonic, by part. */
const parts = {
  deployer: 0,
  consumer: 1,
  provider: 2,
  challenger: 3,
  bystander: 4,
  nodes: 5,
  others: 8,
} as const;
/** Accounts that no honest party has. */
export const otherAccounts = 24;

/** A job that is in training: its provider has locked its stake, and nothing is committed. */
export type OpenJob = {
  readonly jobId: bigint;
  readonly job: TinyJob;
  /** The run that the order asks for. */
  readonly right: ToldRun;
};

/**
 * The contracts with the parameters of public networks, on a chain of their own whose time stands still; a consumer, whose
 * orders have been taken; their provider, which has locked its stake and stored a result; and accounts for everybody else.
 */
export class World {
  readonly chain: SimulatedChain;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  readonly resultId: Hex;
  readonly jobs: ReadonlyMap<TinyJobName, OpenJob>;
  #kept: Snapshot;

  private constructor(
    builder: Builder,
    resultId: Hex,
    jobs: ReadonlyMap<TinyJobName, OpenJob>,
    kept: Snapshot,
  ) {
    this.chain = builder.chain;
    this.deployment = builder.deployment;
    this.contracts = builder.contracts;
    this.resultId = resultId;
    this.jobs = jobs;
    this.#kept = kept;
  }

  static async open(onProgress: (line: string) => void = () => {}): Promise<World> {
    const artifacts = await setupCircuits({ onProgress });
    const keys = {} as Record<Circuit, Uint8Array>;
    for (const { name, verifyingKeyBytes } of artifacts) {
      keys[name as Circuit] = new Uint8Array(await readFile(verifyingKeyBytes));
    }
    if (circuits.some((circuit) => keys[circuit] === undefined)) throw new AssayError("a circuit has no key");
    const chain = await SimulatedChain.open(gasPrice);
    onProgress("deploying the contracts");
    const deployment = await chain.during(() =>
      deployOn(chain.connection, { beacon: "CommitRevealBeacon", keys }),
    );
    await chain.synchronise();
    onProgress("opening the jobs");
    const builder = new Builder(chain, deployment);
    const { resultId, jobs } = await builder.build();
    return new World(builder, resultId, jobs, await chain.keep());
  }

  get consumer(): HDAccount {
    return this.chain.account(parts.consumer);
  }

  get provider(): HDAccount {
    return this.chain.account(parts.provider);
  }

  /** The honest challenger. */
  get challenger(): HDAccount {
    return this.chain.account(parts.challenger);
  }

  /** Somebody who does what anybody may, and pays for it: what is left undone when all are gone. */
  get bystander(): HDAccount {
    return this.chain.account(parts.bystander);
  }

  /** An account of nobody honest. */
  other(index: number): HDAccount {
    return this.chain.account(parts.others + (index % otherAccounts));
  }

  /** Brings everything back to where the jobs are in training. */
  async reset(): Promise<void> {
    await this.chain.goBack(this.#kept);
    this.#kept = await this.chain.keep();
  }

  /** Calls a contract; a call that reverts is paid for like any other. */
  send<N extends ContractName, F extends WriteName<N>>(
    from: Address,
    name: N,
    functionName: F,
    args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
    value = 0n,
  ): Promise<Sent> {
    return this.chain.send(from, encodeCall(this.deployment, name, functionName, args, value));
  }

  close(): Promise<void> {
    return this.chain.close();
  }
}

/** Brings a new chain to where the jobs are in training. */
class Builder {
  readonly chain: SimulatedChain;
  readonly deployment: Deployment;
  readonly contracts: Contracts;

  constructor(chain: SimulatedChain, deployment: Deployment) {
    this.chain = chain;
    this.deployment = deployment;
    this.contracts = connectContracts(chain.client, deployment);
  }

  async build(): Promise<{ resultId: Hex; jobs: ReadonlyMap<TinyJobName, OpenJob> }> {
    const { chain } = this;
    const [consumer, provider] = [chain.account(parts.consumer), chain.account(parts.provider)];
    const nodes = Array.from({ length: bundles }, (_, i) => chain.account(parts.nodes + i));
    for (const account of [consumer, provider, ...nodes]) await this.#give(account, 100_000n * tokens);
    for (const node of nodes) await this.#register(node, operatorRoles.storage, 10_000n * tokens);
    await this.#register(provider, operatorRoles.provider, 10_000n * tokens);
    const resultId = await this.#store(provider, nodes);
    await this.#approve(consumer, addressOf(this.deployment, "Escrow"));
    const jobs = new Map<TinyJobName, OpenJob>();
    for (const name of tinyJobNames) jobs.set(name, await this.#open(makeTinyJob(name), consumer, provider));
    return { resultId, jobs };
  }

  /** Somebody's call that must succeed. */
  async #call<N extends ContractName, F extends WriteName<N>>(
    from: HDAccount,
    name: N,
    functionName: F,
    args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
    value = 0n,
  ): Promise<Sent> {
    const sent = await this.chain.send(
      from.address,
      encodeCall(this.deployment, name, functionName, args, value),
    );
    if (!sent.isRight) throw new AssayError(`setting up the world, ${name}.${functionName} failed`);
    return sent;
  }

  async #give({ address }: HDAccount, amount: bigint): Promise<void> {
    await this.#call(this.chain.account(parts.deployer), "AssayToken", "transfer", [address, amount]);
  }

  async #approve(account: HDAccount, spender: Address): Promise<void> {
    await this.#call(account, "AssayToken", "approve", [spender, 2n ** 255n]);
  }

  async #register(account: HDAccount, role: number, stake: bigint): Promise<void> {
    await this.#approve(account, addressOf(this.deployment, "Staking"));
    await this.#call(account, "Staking", "register", [role, "0x0024", "/dns4/localhost/tcp/1"]);
    await this.#call(account, "Staking", "stake", [stake]);
    for (const { address } of stakeModules(this.deployment, role)) {
      await this.#call(account, "Staking", "approve", [address, stake]);
    }
  }

  /** Anchors a dataset of objects with these roots. */
  async #anchor(
    owner: HDAccount,
    name: string,
    objectRoot: Hex,
    size: { count: number; bytes: number },
  ): Promise<Hex> {
    await this.#approve(owner, addressOf(this.deployment, "DatasetRegistry"));
    const shape = {
      objectCount: BigInt(size.count),
      objectSize: size.bytes,
      segmentObjects: size.count,
      k: 2,
      n: bundles,
      encrypted: false,
    };
    const roots = Array.from({ length: bundles }, () => zeroHash);
    const none = new Uint8Array(32);
    const tree = bundlesTree(roots.map(() => ({ poseidonRoot: none, transportRoot: none })));
    const terms = { objectRoot, shape, previous: zeroHash, feePerAudit: 0n, epochs };
    const manifestHash = keccak256(stringToHex(name));
    const registry = this.contracts.DatasetRegistry.read;
    const parameters = await registry.parameters();
    const all = { ...terms, bundlesRoot: bytesToHex(tree.root), parameters };
    const anchored = {
      datasetId: await registry.idOf([owner.address, manifestHash, all]),
      manifestHash,
      manifestDigest: zeroHash,
      ...terms,
    };
    const { logs } = await this.#call(owner, "DatasetRegistry", "anchor", [anchored, roots, roots]);
    const [event] = parseEventLogs({
      abi: abis.DatasetRegistry,
      eventName: "DatasetAnchored",
      logs: [...logs],
    });
    return event!.args.datasetId;
  }

  /** Anchors the dataset that a result is stored as, with the receipts of three nodes. */
  async #store(owner: HDAccount, nodes: readonly HDAccount[]): Promise<Hex> {
    const datasetId = await this.#anchor(owner, "result", zeroHash, { count: 1, bytes: 64 });
    const [, latestEnd] = await this.contracts.DatasetRegistry.read.termsOf([datasetId]);
    const none = new Uint8Array(32);
    const tree = bundlesTree(nodes.map(() => ({ poseidonRoot: none, transportRoot: none })));
    const signed = [];
    for (const [bundleIndex, node] of nodes.entries()) {
      const receipt = {
        datasetId,
        bundleIndex,
        poseidonRoot: zeroHash,
        transportRoot: zeroHash,
        operator: node.address,
        validUntil: BigInt(this.chain.now + day / 2),
        latestEnd,
      };
      const digest = await this.contracts.BundleRegistry.read.receiptDigest([receipt]);
      const proof = tree.proof(bundleIndex).map((hash) => bytesToHex(hash));
      const signature = await node.sign({ hash: digest });
      signed.push({ receipt, proof, signature, approval: "0x" as const });
    }
    await this.#call(owner, "BundleRegistry", "place", [signed]);
    return datasetId;
  }

  async #open(tiny: TinyJob, consumer: HDAccount, provider: HDAccount): Promise<OpenJob> {
    const { objectRoot, objects, objectBytes } = tiny.order;
    const datasetId = await this.#anchor(consumer, tiny.name, objectRoot, {
      count: objects,
      bytes: objectBytes,
    });
    const job = onDataset(tiny, datasetId);
    const training = encodeOrder(job.order);
    const order = this.#orderOf(job, datasetId, keccak256(training), consumer.address);
    const bid: Bid = {
      provider: provider.address,
      order: orderHash(order),
      price,
      compute: 1,
      region: 1n,
      regulations: 0n,
      privacyTier: 0,
      nonce: BigInt(keccak256(stringToHex(`bid ${job.name}`))),
      expiry: order.expiry,
    };
    const { chainId } = this.deployment;
    const market = addressOf(this.deployment, "Market");
    const signature = await provider.signTypedData(bidTypedData(bid, { chainId, market }));
    await this.#call(consumer, "Market", "post", [order, training, "0x", "0x"]);
    const { logs } = await this.#call(consumer, "Market", "accept", [order, training, "0x", bid, signature]);
    const [event] = parseEventLogs({ abi: abis.JobRegistry, eventName: "JobMatched", logs: [...logs] });
    const { jobId } = event!.args;
    const { providerBond } = await this.contracts.JobRegistry.read.parametersOf([jobId]);
    await this.#call(provider, "JobRegistry", "lock", [jobId], providerBond);
    return { jobId, job, right: new ToldRun(job, keccak256(stringToHex(`secret ${job.name}`))) };
  }

  #orderOf({ name, order, program }: TinyJob, datasetId: Hex, trainingHash: Hex, consumer: Address): Order {
    return {
      consumer,
      problem: {
        datasetId,
        trainingHash,
        programRoot: order.programRoot,
        ...problemOf(program),
        programDigest: packageDigest(new Uint8Array()),
      },
      conditions: { ...defaultConditions, maximumPrice: price, deposit: price, trainingTime },
      nonce: BigInt(keccak256(stringToHex(`order ${name}`))),
      expiry: BigInt(this.chain.now + day),
    };
  }
}
