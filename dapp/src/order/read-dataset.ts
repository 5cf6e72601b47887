import { type Hex, keccak256 } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { type Manifest, parseManifest } from "../../../keepers/src/core/dataset/manifest.ts";
import { fetchManifest } from "../data/fetch-manifest.ts";

/** An anchored dataset, and what its manifest says of its records. */
export type OrderedDataset = {
  readonly datasetId: Hex;
  readonly manifest: Manifest;
  readonly objectCount: number;
  readonly objectSize: number;
  readonly objectRoot: Hex;
};

/**
 * Reads a dataset's anchor from the chain and its manifest from an IPFS gateway; bytes that do not hash to what is anchored
 * are not used.
 *
 * @param digest SHA-256 of the manifest, from which its CID follows
 * @throws Error that says what is missing or wrong
 */
export async function readDataset(
  contracts: Contracts,
  gateway: string,
  { id, digest }: { readonly id: Hex; readonly digest: Hex },
  signal?: AbortSignal,
): Promise<OrderedDataset> {
  const [anchor, bytes] = await Promise.all([
    contracts.DatasetRegistry.read.datasetOf([id]),
    fetchManifest(gateway, digest, signal),
  ]);
  if (keccak256(bytes) !== anchor.manifestHash)
    throw new Error(
      "The storage gateway gave another manifest than the one that is anchored. It is not used.",
    );
  return {
    datasetId: id,
    manifest: parseManifest(bytes),
    objectCount: Number(anchor.shape.objectCount),
    objectSize: anchor.shape.objectSize,
    objectRoot: anchor.objectRoot,
  };
}

/**
 * What a dataset is called and what it holds, as a gateway says: enough for a list to choose from, and held against the chain
 * by {@link readDataset} when it is chosen.
 *
 * @throws Error when the gateway does not give it
 */
export async function readManifest(
  gateway: string,
  digest: Hex,
  signal?: AbortSignal,
): Promise<Pick<Manifest, "name" | "format">> {
  const { name, format } = parseManifest(await fetchManifest(gateway, digest, signal));
  return { name, format };
}
