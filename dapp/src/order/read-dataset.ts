import { type Hex, keccak256 } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { type Manifest, parseManifest } from "../../../keepers/src/core/dataset/manifest.ts";

/** An anchored dataset, and what its manifest says of its records. */
export type OrderedDataset = {
  readonly datasetId: Hex;
  readonly manifest: Manifest;
  readonly objectCount: number;
  readonly objectSize: number;
  readonly objectRoot: Hex;
};

/**
 * Reads a dataset's anchor from the chain and its manifest from a gateway; bytes that do not hash to what is anchored are
 * not used.
 *
 * @throws Error that says what is missing or wrong
 */
export async function readDataset(
  contracts: Contracts,
  gateway: string,
  datasetId: Hex,
  signal?: AbortSignal,
): Promise<OrderedDataset> {
  const [anchor, response] = await Promise.all([
    contracts.DatasetRegistry.read.datasetOf([datasetId]),
    fetch(`${gateway}/datasets/${datasetId}/manifest`, { signal }),
  ]);
  if (!response.ok)
    throw new Error(`The storage gateway does not give the manifest: ${await response.text()}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (keccak256(bytes) !== anchor.manifestHash)
    throw new Error(
      "The storage gateway gave another manifest than the one that is anchored. It is not used.",
    );
  return {
    datasetId,
    manifest: parseManifest(bytes),
    objectCount: Number(anchor.shape.objectCount),
    objectSize: anchor.shape.objectSize,
    objectRoot: anchor.objectRoot,
  };
}
