import { type Address, keccak256 } from "viem";
import { maxManifestBytes } from "../../core/dataset/manifest.ts";
import { collect } from "../backends/backend.ts";
import { parseBlobCid } from "../backends/blob-cid.ts";
import type { StorageClient } from "./client.ts";
import {
  type AnchoredDataset,
  allBundles,
  anchoredManifestCid,
  checkManifest,
  type KnownDataset,
  readHolders,
} from "./dataset.ts";
import { ManifestUnavailableError, type OperatorFailure } from "./errors.ts";
import { reasonOf } from "./reason.ts";

/**
 * Finds a dataset's manifest: asks its holders one after the other, then the IPFS store by its CID. Only bytes with the
 * anchored hash are taken.
 * @throws ManifestUnavailableError that says what each holder answered; ManifestMismatchError
 */
export async function fetchManifest(
  client: StorageClient,
  dataset: AnchoredDataset,
  signal?: AbortSignal,
): Promise<KnownDataset> {
  const failures: OperatorFailure[] = [];
  for (const operator of await distinctHolders(client, dataset)) {
    signal?.throwIfAborted();
    try {
      const shards = await client.peers.connect(operator, signal);
      const bytes = await shards.manifest({ datasetId: dataset.datasetId }, { signal });
      if (keccak256(bytes) === dataset.anchor.manifestHash) return checkManifest(dataset, bytes);
      failures.push({ operator, reason: "it gave a manifest with another hash" });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ operator, reason: reasonOf(error) });
    }
  }
  const cid = await anchoredManifestCid(client, dataset.datasetId);
  if (client.ipfs !== undefined) {
    try {
      const bytes = await collect(client.ipfs.get(parseBlobCid(cid), { signal }), maxManifestBytes, signal);
      return checkManifest(dataset, bytes);
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ operator: "0x", reason: `IPFS: ${reasonOf(error)}` });
    }
  }
  throw new ManifestUnavailableError(cid, failures);
}

async function distinctHolders(client: StorageClient, dataset: AnchoredDataset): Promise<Address[]> {
  const holders = await readHolders(client, dataset.datasetId, allBundles(dataset.layout));
  return [...new Set(holders.flatMap(({ operator }) => (operator === undefined ? [] : [operator])))];
}
