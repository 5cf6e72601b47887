import {
  encodeAbiParameters,
  encodeFunctionData,
  type Hex,
  keccak256,
  parseAbi,
  toHex,
  zeroHash,
} from "viem";
import { addressOf, encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import type { Receipt } from "../../../../keepers/src/chain/receipt.ts";
import { auditPoint, bundleIndices } from "../../../../keepers/src/core/audit/challenge.ts";
import { packIndices } from "../../../../keepers/src/core/groth16/inputs.ts";
import type { JobNetwork } from "./network.ts";

export type SignedReceipt = {
  readonly receipt: Receipt;
  readonly proof: readonly Hex[];
  readonly signature: Hex;
  readonly approval: Hex;
};

const beaconAbi = parseAbi(["function deliver(uint256 requestId, bytes32 value)"]);
const day = 86_400;
const evaluation = 7n;

/** Lets the present epoch end and the next one begin, with a seed. Gives its number. */
export async function nextEpoch({ chain, contracts, deployment, send, admin }: JobNetwork): Promise<number> {
  await chain.advance(day);
  await send(admin, encodeCall(deployment, "StorageAudit", "openEpoch", []));
  const epoch = await contracts.StorageAudit.read.currentEpoch();
  const { requestId } = await contracts.StorageAudit.read.epochOf([epoch]);
  await send(admin, {
    to: addressOf(deployment, "RandomnessBeacon"),
    data: encodeFunctionData({
      abi: beaconAbi,
      functionName: "deliver",
      args: [requestId, keccak256(toHex(`epoch ${epoch}`))],
    }),
  });
  return epoch;
}

/** Has who signed a receipt hold a bundle that lost its holder, with a proof that the double of the verifier takes. */
export async function placeProven(
  { contracts, deployment, send, admin }: JobNetwork,
  signed: SignedReceipt,
  bundleId: Hex,
  cells: number,
  epoch: number,
): Promise<void> {
  const [seed] = await contracts.StorageAudit.read.windowOf([epoch]);
  const { operator, poseidonRoot } = signed.receipt;
  const duty = { seed, duty: bundleId, operator };
  const rho = auditPoint({
    ...duty,
    root: BigInt(poseidonRoot),
    epoch: BigInt(epoch),
    chainId: BigInt(deployment.chainId),
    auditContract: deployment.addresses.BundleRegistry,
  });
  const indices = packIndices(bundleIndices(duty, cells), 14, 16);
  const inputs = [evaluation, BigInt(poseidonRoot), ...indices, rho];
  const types = [{ type: "bytes32" }, { type: "uint256[]" }] as const;
  const first = BigInt(keccak256(encodeAbiParameters(types, [zeroHash, inputs])));
  const proof = [first, 0n, 0n, 0n, 0n, 0n, 0n, 0n] as const;
  const args = [signed, epoch, evaluation, proof] as const;
  await send(admin, encodeCall(deployment, "BundleRegistry", "placeProven", args));
}
