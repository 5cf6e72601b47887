import {
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  domainSeparator,
  type Hex,
  parseSignature,
} from "viem";
import type { StorageWriter } from "./client.ts";

/** An ERC-2612 permit, in the form in which contracts take it. */
export type Permit = { deadline: bigint; v: number; r: Hex; s: Hex };

/** How long a permit stays good, seconds: longer than a transaction should ever wait. */
const term = 3600n;

type PermitParts = Pick<StorageWriter, "account" | "contracts" | "chain" | "deployment">;

/** Versions of the EIP-712 domain that tokens with permits have. */
const versions = ["1", "2"] as const;
export type PermitVersion = (typeof versions)[number];

/**
 * The version of the token's EIP-712 domain, known by the separator that the token itself gives.
 *
 * @returns undefined when the token takes no permits, or under a domain of another kind
 */
export async function permitVersion({
  account,
  contracts,
  deployment,
}: Omit<PermitReader, "chain">): Promise<PermitVersion | undefined> {
  const token = contracts.AssayToken.read;
  try {
    const [name, separator] = await Promise.all([
      token.name(),
      token.DOMAIN_SEPARATOR(),
      token.nonces([account.address]),
    ]);
    const { chainId, addresses } = deployment;
    const domain = { name, chainId, verifyingContract: addresses.AssayToken };
    return versions.find((version) => domainSeparator({ domain: { ...domain, version } }) === separator);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

/** Whether a contract has no such function, and not the endpoint a bad day. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false;
  const cause = error.walk(
    (each) => each instanceof ContractFunctionRevertedError || each instanceof ContractFunctionZeroDataError,
  );
  return cause !== null;
}

/** What {@link permitMessage} and {@link permitVersion} need of a client. */
export type PermitReader = Pick<PermitParts, "contracts" | "deployment"> & {
  readonly account: { readonly address: Address };
  readonly chain: { readonly public: Pick<PermitParts["chain"]["public"], "getBlock"> };
};

/** The EIP-712 message that lets `spender` take exactly `value` base units of the account's tokens, once. */
export async function permitMessage(
  { account, contracts, chain, deployment }: PermitReader,
  spender: Address,
  value: bigint,
  version: PermitVersion = "1",
) {
  const token = contracts.AssayToken.read;
  const [name, nonce, { timestamp }] = await Promise.all([
    token.name(),
    token.nonces([account.address]),
    chain.public.getBlock({ blockTag: "latest" }),
  ]);
  const deadline = timestamp + term;
  const verifyingContract = deployment.addresses.AssayToken;
  return {
    domain: { name, version, chainId: deployment.chainId, verifyingContract },
    types: permitTypes,
    primaryType: "Permit",
    message: { owner: account.address, spender, value, nonce, deadline },
  } as const;
}

/** The parts of a signed permit. */
export function permitOf(signature: Hex, deadline: bigint): Permit {
  const { r, s, yParity } = parseSignature(signature);
  return { deadline, v: 27 + yParity, r, s };
}

/** Lets `spender` take exactly `value` base units of the account's tokens, once. */
export async function signPermit(
  parts: PermitParts,
  spender: Address,
  value: bigint,
  version: PermitVersion = "1",
): Promise<Permit> {
  const message = await permitMessage(parts, spender, value, version);
  return permitOf(await parts.account.signTypedData(message), message.message.deadline);
}

const permitTypes = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
} as const;
