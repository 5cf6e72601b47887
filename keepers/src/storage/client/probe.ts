import { randomInt } from "node:crypto";
import type { Address, Hex } from "viem";
import { cellBytes } from "../../core/dataset/shape.ts";
import { bundleId } from "../../core/ids.ts";
import type { StorageClient } from "./client.ts";
import { readAnchor, readHolders } from "./dataset.ts";
import { NotEnoughBundlesError } from "./errors.ts";
import { type BundleFailure, bundleBytes, fetchBundles } from "./fetch-bundles.ts";
import { fetchManifest } from "./fetch-manifest.ts";

/** A bundle whose holder does not serve it, with what a retrieval challenge takes. */
export type UnservedBundle = {
  readonly bundleId: Hex;
  readonly operator: Address;
  /** Cells of the bundle. */
  readonly cells: number;
  readonly transportRoot: Hex;
  /** Siblings of the bundle's leaf under the dataset's root. */
  readonly proof: readonly Hex[];
};

/**
 * Fetches a whole segment, drawn by lot, and checks it against the anchor. What one segment's holders do at a time of their
 * not choosing says enough about the others.
 *
 * @returns undefined when it can be had; otherwise a bundle whose holder did not serve it
 * @throws ManifestUnavailableError, and NotEnoughBundlesError when what is missing has no holder
 */
export async function probe(
  client: StorageClient,
  datasetId: Hex,
  signal?: AbortSignal,
): Promise<UnservedBundle | undefined> {
  const dataset = await fetchManifest(client, await readAnchor(client, datasetId), signal);
  const { n, bundles } = dataset.layout;
  const segment = randomInt(bundles / n);
  const indices = Array.from({ length: n }, (_, shard) => segment * n + shard);
  const holders = await readHolders(client, datasetId, indices);
  const failures: BundleFailure[] = [];
  try {
    const onFailure = (failure: BundleFailure) => failures.push(failure);
    await fetchBundles(client, { dataset, segment, holders, signal, onFailure });
    return undefined;
  } catch (error) {
    if (!(error instanceof NotEnoughBundlesError)) throw error;
    const refusing = failures.filter(({ operator }) => operator !== undefined);
    if (refusing.length === 0) throw error;
    const { bundleIndex, operator } = refusing[randomInt(refusing.length)]!;
    return {
      bundleId: bundleId(datasetId, bundleIndex),
      operator: operator!,
      cells: Math.ceil(bundleBytes(dataset.layout, bundleIndex) / cellBytes),
      transportRoot: dataset.manifest.bundles[bundleIndex]!.transportRoot as Hex,
      proof: dataset.tree.proof(bundleIndex),
    };
  }
}
