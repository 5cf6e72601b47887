import {
  type Address,
  type ContractFunctionArgs,
  getAddress,
  type HDAccount,
  type Hex,
  hexToBytes,
  keccak256,
  stringToHex,
  zeroHash,
} from "viem";
import type { abis, ContractName } from "../../keepers/src/chain/abi/index.ts";
import {
  addressOf,
  type Contracts,
  connectContracts,
  encodeCall,
  type WriteName,
} from "../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../keepers/src/chain/deployment.ts";
import { stakeModules } from "../../keepers/src/chain/stake-modules.ts";
import { type BlsKey, keyOf, secretFrom } from "../../keepers/src/core/attestation/bls.ts";
import { provePossession } from "../../keepers/src/core/attestation/statement.ts";
import { type Sent, SimulatedChain, type Snapshot } from "../../keepers/src/roles/simulation/chain.ts";
import { operatorRoles } from "../../keepers/src/roles/storage-node/register.ts";
import { nodes, type Party, parties, partyNames, providers, strangers, validators } from "./cast.ts";
import { deployAll } from "./deployment.ts";
import type { Tariff } from "./tariff.ts";

export const tokens = 10n ** 18n;
export const day = 86_400;
export const hour = 3_600;

/** What everybody begins with. */
export const wealth = 1_000_000n * tokens;
/** Wei for a unit of gas; what somebody spends as gas is known from its receipts and is no loss. */
const gasPrice = 10n ** 9n;
const stakes = { node: 10_000n * tokens, provider: 50_000n * tokens, validator: 2_000n * tokens };
/** A provider that locks puts up a tenth of the deposit for its commitment. */
const performanceDivisor = 10n;
/** Of each validator. */
const weight = 5n;

/** A transaction, as whoever was there saw it: what was asked for, and whether it was done. */
export type Action = {
  readonly at: number;
  readonly from: Address;
  readonly contract: ContractName | undefined;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly value: bigint;
  readonly sent: Sent;
};

/** A validator's key. */
export type Voter = { readonly id: bigint; readonly secret: bigint; readonly key: BlsKey };

/** The real deployment, with everybody registered, staked and enrolled; each walk begins there. */
export class CoalitionWorld {
  readonly chain: SimulatedChain;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  readonly voters = new Map<Party, Voter>();
  /** What was done before any walk. */
  readonly actions: Action[] = [];
  readonly #accounts = new Map<Party, HDAccount>();
  tariff!: Tariff;
  /** When epochs of the storage contracts began to count. */
  genesis = 0;
  /** What the deployer has left of all tokens. */
  deployersTokens = 0n;
  /** As it was built, and as walks begin. */
  #built: Snapshot | undefined;
  #kept: Snapshot | undefined;

  private constructor(chain: SimulatedChain, deployment: Deployment) {
    this.chain = chain;
    this.deployment = deployment;
    this.contracts = connectContracts(chain.client, deployment);
    for (const party of partyNames) this.#accounts.set(party, chain.account(parties[party]));
  }

  static async open(): Promise<CoalitionWorld> {
    const chain = await SimulatedChain.open(gasPrice);
    const world = new CoalitionWorld(chain, await deployAll(chain, {}));
    await chain.synchronise();
    await world.#build();
    world.#built = await chain.keep();
    world.#kept = await chain.keep();
    return world;
  }

  get gasPrice(): bigint {
    return gasPrice;
  }

  account(party: Party): HDAccount {
    return this.#accounts.get(party)!;
  }

  address(party: Party): Address {
    return getAddress(this.account(party).address);
  }

  /** Whose an address is. */
  partyAt(address: Address): Party | undefined {
    return partyNames.find((party) => this.address(party) === getAddress(address));
  }

  contractAt(address: Address): ContractName | undefined {
    const names = Object.keys(this.deployment.addresses) as (keyof Deployment["addresses"])[];
    return names.find((name) => getAddress(this.deployment.addresses[name]!) === getAddress(address));
  }

  /** Brings everything back to where walks begin. */
  async reset(): Promise<void> {
    await this.chain.goBack(this.#kept!);
    this.#kept = await this.chain.keep();
  }

  /** Has all walks begin with something else changed, in the contracts as they were deployed. */
  async become(change: (world: CoalitionWorld) => Promise<void>): Promise<void> {
    await this.chain.goBack(this.#built!);
    this.#built = await this.chain.keep();
    await change(this);
    this.#kept = await this.chain.keep();
  }

  /** Calls a contract; what reverts is an action as well. */
  async send<N extends ContractName, F extends WriteName<N>>(
    from: Party,
    name: N,
    functionName: F,
    args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
    value = 0n,
  ): Promise<Action> {
    const call = encodeCall(this.deployment, name, functionName, args, value);
    const address = this.address(from);
    const sent = await this.chain.send(address, call);
    const all = args as readonly unknown[];
    return { at: sent.at, from: address, contract: name, name: functionName, args: all, value, sent };
  }

  close(): Promise<void> {
    return this.chain.close();
  }

  /** A call of the set-up, which must succeed. */
  async #call(...call: Parameters<CoalitionWorld["send"]>): Promise<void> {
    const action = await this.send(...call);
    if (!action.sent.isRight)
      throw new Error(`setting up the world, ${call[1]}.${call[2]} of ${call[0]} failed`);
    this.actions.push(action);
  }

  async #build(): Promise<void> {
    const { deployment } = this;
    const spenders = ["Staking", "DatasetRegistry", "Escrow", "Market", "WorkerRewards"] as const;
    for (const party of partyNames) {
      if (party !== "deployer")
        await this.#call("deployer", "AssayToken", "transfer", [this.address(party), wealth]);
      for (const spender of spenders) {
        await this.#call(party, "AssayToken", "approve", [addressOf(deployment, spender), 2n ** 255n]);
      }
    }
    for (const node of nodes) await this.#register(node, operatorRoles.storage, stakes.node);
    for (const provider of providers) await this.#register(provider, operatorRoles.provider, stakes.provider);
    const all = operatorRoles.storage | operatorRoles.provider | operatorRoles.validator;
    for (const stranger of strangers) await this.#register(stranger, all, stakes.provider);
    for (const validator of validators) {
      await this.#register(validator, operatorRoles.validator, stakes.validator);
      await this.#enrol(validator);
    }
    // Weights count from the next rotation on.
    this.chain.moveTo(this.chain.now + 2 * day);
    this.tariff = await this.#readTariff();
    this.deployersTokens = await this.contracts.AssayToken.read.balanceOf([this.address("deployer")]);
    this.genesis = Number(await this.contracts.DatasetRegistry.read.genesis());
  }

  /** What deployments fix and no walk changes. */
  async #readTariff(): Promise<Tariff> {
    const { JobRegistry, DatasetRegistry, Committee, Staking } = this.contracts;
    const { dispute, latePenalty, minimumStake } = await JobRegistry.read.parameters();
    const { missPenalty, surrenderPenalty } = await DatasetRegistry.read.parameters();
    const [{ lieSlash }] = await Committee.read.terms();
    const [, reporterShare] = await Staking.read.parameters();
    return {
      ...{ challengerBond: dispute.challengerBond, refundPrice: dispute.refundPrice },
      ...{ missPenalty, surrenderPenalty, lieSlash, minimumStake },
      reporterShare: BigInt(reporterShare),
      checks: Number(await Committee.read.checks()),
      presenceDivisor: await Committee.read.PRESENCE_DIVISOR(),
      performanceDivisor,
      latePenalty: BigInt(latePenalty),
    };
  }

  async #register(party: Party, role: number, stake: bigint): Promise<void> {
    await this.#call(party, "Staking", "register", [role, "0x0024", "/dns4/localhost/tcp/1"]);
    await this.#call(party, "Staking", "stake", [stake]);
    for (const { address } of stakeModules(this.deployment, role)) {
      await this.#call(party, "Staking", "approve", [address, stake]);
    }
  }

  async #enrol(party: Party): Promise<void> {
    const secret = secretFrom(hexToBytes(keccak256(stringToHex(`assay/coalitions/${party}`))));
    const key = keyOf(secret);
    const place = {
      chainId: BigInt(this.deployment.chainId),
      contract: addressOf(this.deployment, "ValidatorSet"),
    };
    const possession = provePossession(secret, place, this.address(party), key);
    await this.#call(party, "ValidatorSet", "enrol", [weight, key, possession]);
    this.voters.set(party, { id: BigInt(this.voters.size + 1), secret, key });
  }
}

/** 32 bytes that look like nothing, the same every time. */
export function someHash(name: string): Hex {
  return keccak256(stringToHex(`assay/coalitions/${name}`));
}

export const nothing = zeroHash;
