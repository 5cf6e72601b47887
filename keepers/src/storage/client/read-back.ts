import { type Address, type Hex, hexToBytes } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import { verifyBinaryProof } from "../../core/merkle/binary-tree.ts";
import { leafHash } from "../../core/merkle/keccak.ts";
import { maxCellsAsked } from "../transport/shard-protocol.ts";
import type { ProvenCell } from "../transport/shard-service.ts";
import type { StorageClient } from "./client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { BundleFailure } from "./fetch-bundles.ts";
import { reasonOf } from "./reason.ts";

export type ReadBackParameters = {
  datasetId: Hex;
  manifest: Manifest;
  layout: DatasetLayout;
  /** Who is said to hold which bundle. */
  holders: ReadonlyMap<number, Address>;
  /** Seconds that a holder may take for the cells of a bundle; 60 by default. */
  patience?: number;
  signal?: AbortSignal;
  /** Told how many bundles have been asked for. */
  onProgress?: (done: number) => void;
};

/** Bundles asked for at once. */
const parallel = 8;

/**
 * Asks every holder for cells of its bundle, drawn anew each time, and checks them against the anchored root: whoever has
 * lost a part, or never had it, or does not serve, is found. A holder without a fifth of a bundle gives 64 cells with a
 * chance of one in a million. One that has let its time pass is not waited for again: it may hold many of the bundles.
 * @returns the bundles that could not be read
 */
export async function readBack(
  client: Pick<StorageClient, "peers">,
  { datasetId, manifest, layout, holders, patience = 60, signal, onProgress }: ReadBackParameters,
): Promise<BundleFailure[]> {
  const silent = new Set<Address>();
  const failures: BundleFailure[] = [];
  let done = 0;
  await forEachConcurrently([...holders], parallel, signal, async ([bundleIndex, operator]) => {
    const { cells } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
    const asked = drawCells(cells);
    const late = AbortSignal.timeout(1000 * patience);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      if (silent.has(operator)) throw new Error("it did not answer for another bundle");
      const shards = await client.peers.connect(operator, either);
      const given = await shards.cells({ datasetId, bundleIndex, cells: asked }, { signal: either });
      const root = hexToBytes(manifest.bundles[bundleIndex]!.transportRoot as Hex);
      if (!given.every((cell, i) => isOf(cell, asked[i]!, cells, root))) {
        throw new Error("it gives cells that are not the bundle's");
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (late.aborted) silent.add(operator);
      const reason = late.aborted ? `it gave no cells in ${patience} s` : reasonOf(error);
      failures.push({ bundleIndex, operator, reason });
    }
    onProgress?.(++done);
  });
  return failures.sort((a, b) => a.bundleIndex - b.bundleIndex);
}

function isOf(
  { index, cell, siblings }: ProvenCell,
  asked: number,
  cells: number,
  root: Uint8Array,
): boolean {
  const leaf = leafHash(cell);
  return index === asked && verifyBinaryProof({ root, leaf, index, leaves: cells, siblings });
}

/** Distinct cells, as many as go into one request; all of them where there are no more. Nobody can know them beforehand. */
function drawCells(cells: number): number[] {
  const all = Array.from({ length: cells }, (_, i) => i);
  const count = Math.min(cells, maxCellsAsked);
  for (let i = 0; i < count; i++) {
    const j = i + randomBelow(cells - i);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, count);
}

function randomBelow(bound: number): number {
  // Bounds are at most 16,384: the bias of 2^32 mod bound is far below what matters for a sample.
  return crypto.getRandomValues(new Uint32Array(1))[0]! % bound;
}
