import { type Address, type Hex, keccak256 } from "viem";
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
 * anchored hash are taken: what is wrong with others is the doing of whoever gives them, what is wrong with these the owner's.
 * @throws ManifestUnavailableError that says what each holder answered; ManifestMismatchError, MalformedManifestError
 */
export async function fetchManifest(
  client: StorageClient,
  dataset: AnchoredDataset,
  signal?: AbortSignal,
): Promise<KnownDataset> {
  const failures: OperatorFailure[] = [];
  /** The bytes that somebody gives when they are the anchored ones; undefined otherwise. */
  const given = async (operator: Hex, place: string, read: () => Promise<Uint8Array>) => {
    try {
      const bytes = await read();
      if (keccak256(bytes) === dataset.anchor.manifestHash) return bytes;
      failures.push({ operator, reason: `${place}it gave a manifest with another hash` });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ operator, reason: `${place}${reasonOf(error)}` });
    }
    return undefined;
  };
  for (const operator of await distinctHolders(client, dataset)) {
    signal?.throwIfAborted();
    const bytes = await given(operator, "", async () => {
      const shards = await client.peers.connect(operator, signal);
      return await shards.manifest({ datasetId: dataset.datasetId }, { signal });
    });
    if (bytes !== undefined) return checkManifest(dataset, bytes);
  }
  const cid = await anchoredManifestCid(client, dataset.datasetId);
  const { ipfs } = client;
  if (ipfs !== undefined) {
    const bytes = await given("0x", "IPFS: ", () =>
      collect(ipfs.get(parseBlobCid(cid), { signal }), maxManifestBytes, signal),
    );
    if (bytes !== undefined) return checkManifest(dataset, bytes);
  }
  throw new ManifestUnavailableError(cid, failures);
}

async function distinctHolders(client: StorageClient, dataset: AnchoredDataset): Promise<Address[]> {
  const holders = await readHolders(client, dataset.datasetId, allBundles(dataset.layout));
  return [...new Set(holders.flatMap(({ operator }) => (operator === undefined ? [] : [operator])))];
}
