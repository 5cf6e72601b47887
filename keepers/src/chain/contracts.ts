import {
  type Abi,
  type Account,
  type Address,
  type Chain,
  type ContractEventArgsFromTopics,
  type ContractEventName,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type EncodeFunctionDataParameters,
  encodeFunctionData,
  type GetContractReturnType,
  getContract,
  type Hex,
  type PublicClient,
  type Transport,
} from "viem";
import { AssayError, exitCode } from "../core/errors.ts";
import { abis, type ContractName } from "./abi/index.ts";
import type { Deployment } from "./deployment-format.ts";

export type ReadClient = PublicClient<Transport, Chain, Account | undefined>;
type Handle<N extends ContractName> = GetContractReturnType<(typeof abis)[N], ReadClient, Address>;

/**
 * Typed read handles: `contracts.Staking.read.operatorOf([operator])`. `RandomnessBeacon` is the beacon in use,
 * whatever its kind; the handles of beacons that are not deployed throw when they are first touched.
 */
export type Contracts = { readonly [N in ContractName]: Handle<N> };

/** Names of the state-changing functions of a contract. */
export type WriteName<N extends ContractName> = ContractFunctionName<
  (typeof abis)[N],
  "nonpayable" | "payable"
>;

/** What a transaction does: recipient, call data, and native coin in wei. */
export type Call = { to: Address; data: Hex; value: bigint };

/** Address of a contract; throws when the deployment has none. */
export function addressOf(deployment: Deployment, name: ContractName): Address {
  const address = deployment.addresses[name === "RandomnessBeacon" ? deployment.beacon : name];
  if (address !== undefined) return address;
  throw new AssayError(`the deployment on chain ${deployment.chainId} has no ${name}`, {
    exitCode: exitCode.configuration,
  });
}

/** Read handles for every deployed contract. */
export function connectContracts(client: ReadClient, deployment: Deployment): Contracts {
  const handles = new Map<ContractName, unknown>();
  const connected = {};
  for (const name of Object.keys(abis) as ContractName[]) {
    Object.defineProperty(connected, name, {
      enumerable: true,
      get() {
        const known = handles.get(name);
        if (known !== undefined) return known;
        const handle = getContract({ address: addressOf(deployment, name), abi: abis[name] as Abi, client });
        handles.set(name, handle);
        return handle;
      },
    });
  }
  return connected as Contracts;
}

/** Encodes a call of a contract, for a transaction queue to send. */
export function encodeCall<N extends ContractName, F extends WriteName<N>>(
  deployment: Deployment,
  name: N,
  functionName: F,
  args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
  value = 0n,
): Call {
  const parameters = { abi: abis[name], functionName, args } as unknown as EncodeFunctionDataParameters;
  return { to: addressOf(deployment, name), data: encodeFunctionData(parameters), value };
}

/** Where an event stands in the chain. */
export type EventPosition = {
  address: Address;
  blockNumber: bigint;
  blockHash: Hex;
  transactionHash: Hex;
  transactionIndex: number;
  /** Index of the log in its block: with `blockHash` it names the event. */
  logIndex: number;
};

/** A decoded event of one contract. */
export type ContractEvent<
  N extends ContractName,
  E extends ContractEventName<(typeof abis)[N]> = ContractEventName<(typeof abis)[N]>,
> =
  E extends ContractEventName<(typeof abis)[N]>
    ? EventPosition & {
        contract: N;
        eventName: E;
        args: ContractEventArgsFromTopics<(typeof abis)[N], E>;
      }
    : never;

/** Any event of any followed contract: `contract` and `eventName` tell which, and narrow `args`. */
export type AssayEvent = { [N in ContractName]: ContractEvent<N> }[ContractName];
