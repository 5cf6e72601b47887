import { type Address, type Hex, parseSignature } from "viem";
import type { StorageWriter } from "./client.ts";

/** An ERC-2612 permit, in the form in which contracts take it. */
export type Permit = { deadline: bigint; v: number; r: Hex; s: Hex };

/** How long a permit stays good, seconds: longer than a transaction should ever wait. */
const term = 3600n;

/** Lets `spender` take exactly `value` base units of the account's tokens, once. */
export async function signPermit(
  {
    account,
    contracts,
    chain,
    deployment,
  }: Pick<StorageWriter, "account" | "contracts" | "chain" | "deployment">,
  spender: Address,
  value: bigint,
): Promise<Permit> {
  const token = contracts.AssayToken.read;
  const [name, nonce, { timestamp }] = await Promise.all([
    token.name(),
    token.nonces([account.address]),
    chain.public.getBlock({ blockTag: "latest" }),
  ]);
  const deadline = timestamp + term;
  const verifyingContract = deployment.addresses.AssayToken;
  const signature = await account.signTypedData({
    domain: { name, version: "1", chainId: deployment.chainId, verifyingContract },
    types: permitTypes,
    primaryType: "Permit",
    message: { owner: account.address, spender, value, nonce, deadline },
  });
  const { r, s, yParity } = parseSignature(signature);
  return { deadline, v: 27 + yParity, r, s };
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
