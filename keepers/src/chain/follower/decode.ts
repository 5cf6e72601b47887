import { type Abi, type Address, decodeEventLog } from "viem";
import { abis, type ContractName } from "../abi/index.ts";
import type { AssayEvent } from "../contracts.ts";
import type { DeployedName, Deployment } from "../deployment.ts";
import type { MinedLog } from "./logs.ts";

/** Names of followed contracts by their address in lower case. */
export type Followed = ReadonlyMap<string, ContractName>;

/** The contracts to follow, by their addresses in the deployment. */
export function followedContracts(deployment: Deployment, names: readonly DeployedName[]): Followed {
  const followed = new Map<string, ContractName>();
  for (const name of names) {
    const address: Address | undefined = deployment.addresses[name];
    if (address !== undefined) followed.set(address.toLowerCase(), name);
  }
  return followed;
}

/** The event that a log stands for; undefined when its contract's ABI does not know it. */
export function decodeEvent(followed: Followed, log: MinedLog): AssayEvent | undefined {
  const contract = followed.get(log.address.toLowerCase());
  if (contract === undefined) return undefined;
  try {
    const { eventName, args } = decodeEventLog({
      abi: abis[contract] as Abi,
      topics: log.topics as [],
      data: log.data,
    });
    return {
      contract,
      eventName,
      args,
      address: log.address,
      blockNumber: log.blockNumber,
      blockHash: log.blockHash,
      transactionHash: log.transactionHash,
      transactionIndex: log.transactionIndex,
      logIndex: log.logIndex,
    } as unknown as AssayEvent;
  } catch {
    return undefined;
  }
}
