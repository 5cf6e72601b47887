import { type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import { openObject } from "../../core/dataset/encryption.ts";
import { bundlePlace, objectRange, segmentLayout, segmentOfObject } from "../../core/dataset/layout.ts";
import { cellBytes } from "../../core/dataset/shape.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import { BadInputError } from "../../core/errors.ts";
import { verifyBinaryProof } from "../../core/merkle/binary-tree.ts";
import { leafHash } from "../../core/merkle/keccak.ts";
import { maxCellsAsked } from "../transport/shard-protocol.ts";
import type { StorageClient } from "./client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { type KnownDataset, readAnchor, readHolders } from "./dataset.ts";
import { openDatasetKey } from "./dataset-key.ts";
import { NotEnoughBundlesError } from "./errors.ts";
import type { BundleFailure } from "./fetch-bundles.ts";
import { fetchManifest } from "./fetch-manifest.ts";
import { reasonOf } from "./reason.ts";

export type GetObjectParameters = {
  /** Index of the object in the dataset. */
  index: number;
  /** X25519 secret of a recipient, for encrypted datasets. */
  secret?: Uint8Array;
  signal?: AbortSignal;
};

export type GetObjectResult = {
  bytes: Uint8Array;
  /** Bytes of cells downloaded, their proofs left out. */
  downloaded: number;
  /** Bundles that could not be used; others took their place. */
  replaced: BundleFailure[];
};

/** Finds a dataset for reading single objects; its manifest is fetched once. */
export async function openDataset(
  client: StorageClient,
  datasetId: Hex,
  signal?: AbortSignal,
): Promise<KnownDataset> {
  return fetchManifest(client, await readAnchor(client, datasetId), signal);
}

/**
 * One object without the rest of the dataset: from k bundles the cells that hold its shards, each with its path to the
 * anchored transport root. That the owner's objectRoot fits is not checked here, since it needs the hash lists of the
 * whole dataset; `get` and `verify` check it.
 * @throws BadInputError when there is no such object; NoDatasetKeyError, DecryptionError; NotEnoughBundlesError
 */
export async function getObject(
  client: StorageClient,
  dataset: KnownDataset,
  { index, secret, signal }: GetObjectParameters,
): Promise<GetObjectResult> {
  const { layout, manifest, datasetId } = dataset;
  const { segment } = segmentOfObject(layout, index);
  const cipher = openDatasetKey(manifest, secret);
  const bundles = Array.from({ length: layout.n }, (_, shard) => segment * layout.n + shard);
  const waiting = await readHolders(client, datasetId, bundles);
  const shards: (Uint8Array | undefined)[] = new Array(layout.n).fill(undefined);
  const replaced: BundleFailure[] = [];
  let downloaded = 0;
  let missing = layout.k;
  while (missing > 0 && waiting.length > 0) {
    await forEachConcurrently(waiting.splice(0, missing), 8, signal, async ({ bundleIndex, operator }) => {
      try {
        if (operator === undefined) throw new Error("nobody holds it");
        const { bytes, fetched } = await readRange(client, dataset, { bundleIndex, operator, index, signal });
        shards[bundlePlace(layout, bundleIndex).shard] = bytes;
        downloaded += fetched;
        missing--;
      } catch (error) {
        signal?.throwIfAborted();
        replaced.push({ bundleIndex, operator, reason: reasonOf(error) });
      }
    });
  }
  if (missing > 0) {
    const reasons = replaced.map(({ operator, reason }) => ({ operator: operator ?? ("0x" as Hex), reason }));
    throw new NotEnoughBundlesError(segment, layout.k - missing, layout.k, reasons);
  }
  const stored = new ErasureCode(layout.k, layout.n).decodeBlob(shards, layout.storedObjectSize);
  const bytes = cipher === null ? stored : openObject(cipher, { kind: "objects", index }, stored);
  return { bytes, downloaded, replaced };
}

type RangeParameters = {
  bundleIndex: number;
  operator: Address;
  index: number;
  signal: AbortSignal | undefined;
};

/** The object's shard in one bundle, from proven cells. */
async function readRange(
  client: StorageClient,
  { datasetId, layout, manifest }: KnownDataset,
  { bundleIndex, operator, index, signal }: RangeParameters,
): Promise<{ bytes: Uint8Array; fetched: number }> {
  const { start, end } = objectRange(layout, index);
  const { cells } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
  const root = hexToBytes(manifest.bundles[bundleIndex]!.transportRoot as Hex);
  const first = Math.floor(start / cellBytes);
  const last = Math.floor((end - 1) / cellBytes);
  const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const bytes = new Uint8Array(wanted.length * cellBytes);
  const shards = await client.peers.connect(operator, signal);
  for (let from = 0; from < wanted.length; from += maxCellsAsked) {
    const asked = wanted.slice(from, from + maxCellsAsked);
    for (const { index: cell, cell: content, siblings } of await shards.cells(
      { datasetId, bundleIndex, cells: asked },
      { signal },
    )) {
      const proof = { root, leaf: leafHash(content), index: cell, leaves: cells, siblings };
      if (!verifyBinaryProof(proof)) {
        throw new BadInputError(`cell ${cell} does not belong under root ${bytesToHex(root)}`);
      }
      bytes.set(content, (cell - first) * cellBytes);
    }
  }
  const at = start - first * cellBytes;
  return { bytes: bytes.subarray(at, at + end - start), fetched: bytes.length };
}
