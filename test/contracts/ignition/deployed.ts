/** The whole deployment with two parties of its own, and who may call what there. */
import { network } from "hardhat";
import {
  type Abi,
  type AbiFunction,
  type AbiParameter,
  type Address,
  encodeFunctionData,
  type Hex,
  keccak256,
  stringToHex,
  toFunctionSelector,
  zeroAddress,
} from "viem";
import { AssayDrand, AssayVrf } from "../../../ignition/modules/Assay.ts";
import { roles } from "../../../ignition/modules/roles.ts";
import { circuits } from "../../../ignition/modules/Verifier.ts";
import { createInstance } from "../zk/trapdoor.ts";

const keys = circuits.map((circuit, i) => ({ circuit, key: createInstance(3 + i, 900n + BigInt(i)).key }));

/** Verifying keys of circuits whose trapdoor is known to these tests alone. */
export const keyParameters = {
  Verifier: Object.fromEntries(keys.map(({ circuit, key }) => [`${circuit}Key`, key])),
  Storage: Object.fromEntries(keys.map(({ circuit, key }) => [`${circuit}KeyHash`, keccak256(key)])),
};

/** Seconds between what the administration announces and its effect, on these chains. */
export const delay = 3_600;

export type Contract = { readonly abi: Abi; readonly address: Address };

export type Governed = Awaited<ReturnType<typeof deployGoverned>>;

/** A fresh chain with everything deployed, on drand or on VRF; accounts 1 and 2 are the two parties. */
export async function deployGoverned(beacon: "drand" | "vrf" = "drand") {
  const connection = await network.create();
  const { ignition, viem } = connection;
  const wallets = await viem.getWalletClients();
  const [deployer, proposer, executor, stranger] = wallets.map(({ account }) => account.address);
  const coordinator = await viem.deployContract("VRFCoordinatorV2_5Mock", [0n, 0n, 1n]);
  const parameters = {
    ...keyParameters,
    VrfBeacon: {
      ...{ coordinator: coordinator.address, subscriptionId: 1n },
      keyHash: `0x${"11".repeat(32)}`,
    },
    Governance: { delay, proposer: proposer!, executor: executor! },
  };
  const contracts = await ignition.deploy((beacon === "vrf" ? AssayVrf : AssayDrand) as typeof AssayDrand, {
    parameters,
  });
  const client = await viem.getPublicClient();
  const parties = { deployer: deployer!, proposer: proposer!, executor: executor!, stranger: stranger! };
  return { connection, contracts, coordinator, client, parties };
}

/** What a call says that does not revert, and what one does that does. */
export type Answer = { readonly returned: Hex } | { readonly reverted: Hex };

/** Calls without sending: what would happen. */
export async function ask(
  { connection }: Governed,
  from: Address,
  { to, data }: Pick<Power, "to" | "data">,
): Promise<Answer> {
  try {
    const returned = await connection.provider.request({
      method: "eth_call",
      params: [{ from, to, data }, "latest"],
    });
    return { returned: returned as Hex };
  } catch (error) {
    const data = revertData(error);
    if (data === undefined) throw error;
    return { reverted: data };
  }
}

function revertData(error: unknown): Hex | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { data, cause } = error as { data?: unknown; cause?: unknown };
  if (typeof data === "string" && data.startsWith("0x")) return data as Hex;
  return revertData(data) ?? revertData(cause);
}

/** Functions that change something. */
function writes(abi: Abi): AbiFunction[] {
  return abi.filter(
    (item): item is AbiFunction =>
      item.type === "function" &&
      (item.stateMutability === "nonpayable" || item.stateMutability === "payable"),
  );
}

/** A call of a function with the least arguments there are; authority is asked before they are looked at. */
function leastCall(item: AbiFunction, least: bigint): Hex {
  const args = item.inputs.map((each) => leastOf(each, least));
  return encodeFunctionData({ abi: [item], functionName: item.name, args });
}

function leastOf(parameter: AbiParameter, least: bigint): unknown {
  const { type } = parameter;
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array !== null) {
    const element = { ...parameter, type: array[1]! };
    return Array.from({ length: Number(array[2] || 1) }, () => leastOf(element, least));
  }
  if (type === "tuple") {
    const { components } = parameter as { components: readonly AbiParameter[] };
    return Object.fromEntries(components.map((each) => [each.name!, leastOf(each, least)]));
  }
  if (type === "bool") return false;
  if (type === "string") return "";
  if (type === "bytes") return "0x";
  if (type === "address") return zeroAddress;
  if (type.startsWith("bytes")) return `0x${"00".repeat(Number(type.slice(5)))}`;
  return Number(/\d+$/.exec(type)?.[0] ?? 256) > 48 ? least : Number(least);
}

/** What contracts say to whoever has no power over them, and what they say to everybody once all is wired and sealed. */
const refusals = [
  "AccessManagedUnauthorized(address)",
  "AccessManagerUnauthorizedAccount(address,uint64)",
  "AccessControlUnauthorizedAccount(address,bytes32)",
  "TimelockUnauthorizedCaller(address)",
  "OnlyOwnerOrCoordinator(address,address,address)",
  "OnlyCoordinatorCanFulfill(address,address)",
  "RoleSealed(uint64)",
  "FunctionSealed(address,bytes4)",
  "NeverClosed(address)",
  "AccessManagerUnauthorizedCall(address,address,bytes4)",
  "ModulesAlreadySet(address)",
  "InvalidModules()",
].map((declaration) => toFunctionSelector(`function ${declaration}`));
const ownersAlone = stringToHex("Only callable by owner").slice(2);

/** Whether a call was answered by: not you. */
export function isRefused(answer: Answer): boolean {
  if ("returned" in answer) return false;
  return refusals.some((each) => answer.reverted.startsWith(each)) || answer.reverted.includes(ownersAlone);
}

/** A call that not everybody may make. */
export type Power = {
  readonly contract: string;
  readonly name: string;
  readonly to: Address;
  readonly data: Hex;
};

/** The calls that change something and that a stranger is refused, of every contract that is deployed. */
export async function powersOf(governed: Governed): Promise<Power[]> {
  const found: Power[] = [];
  for (const [contract, { abi, address: to }] of Object.entries(
    governed.contracts as unknown as Record<string, Contract>,
  )) {
    for (const item of writes(abi)) {
      // Of roles the one that is left to be given.
      const data = leastCall(item, contract === "access" ? roles.guardian : 0n);
      const power = { contract, name: item.name, to, data };
      if (isRefused(await ask(governed, governed.parties.stranger, power))) found.push(power);
    }
  }
  return found;
}
