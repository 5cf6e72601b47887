import { type Address, encodeAbiParameters, type Hex, keccak256 } from "viem";

/** What a dataset's identifier is made of (docs/storage-protocol.md section 4). */
export type DatasetIdParameters = {
  chainId: number;
  /** Address of the DatasetRegistry that holds the anchor. */
  registry: Address;
  owner: Address;
  /** keccak256 of the manifest's canonical bytes. */
  manifestHash: Hex;
};

const datasetIdTypes = [
  { type: "uint256" },
  { type: "address" },
  { type: "address" },
  { type: "bytes32" },
] as const;
const bundleIdTypes = [{ type: "bytes32" }, { type: "uint32" }] as const;

/** Identifier of an anchored dataset: known before the anchor is mined, different on every chain. */
export function datasetId({ chainId, registry, owner, manifestHash }: DatasetIdParameters): Hex {
  return keccak256(encodeAbiParameters(datasetIdTypes, [BigInt(chainId), registry, owner, manifestHash]));
}

/** Identifier of bundle `bundleIndex` (segment · n + j) of a dataset. */
export function bundleId(dataset: Hex, bundleIndex: number): Hex {
  return keccak256(encodeAbiParameters(bundleIdTypes, [dataset, bundleIndex]));
}
