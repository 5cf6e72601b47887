import { hexToBytes } from "viem";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { cellBytes } from "../../core/dataset/shape.ts";
import { bundleId } from "../../core/ids.ts";
import type { ChainView } from "./client.ts";
import { bundleBytes, type RootedDataset } from "./fetch-bundles.ts";
import { readLogs } from "./read-logs.ts";
import { transportRootOf } from "./roots.ts";

/** Challenges whose publications are asked for at once: endpoints take filters of a thousand values. */
const atOnce = 500;

/**
 * Bundles that holders have published cell by cell, in answer to retrieval challenges.
 *
 * @param bundles indices within one segment; what is not on chain whole, or is not what was anchored, is left out
 * @returns bytes by the bundle's index
 */
export async function publishedBundles(
  view: ChainView,
  dataset: RootedDataset,
  bundles: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const indexOf = new Map(bundles.map((index) => [bundleId(dataset.datasetId, index), index]));
  const args = { bundleId: [...indexOf.keys()] };
  const asked = await readLogs(view, "RetrievalChallenges", "RetrievalChallenged", args);
  const challenges = new Map<number, Map<bigint, number>>();
  for (const { args: each } of asked) {
    const index = indexOf.get(each.bundleId)!;
    const cells = challenges.get(index) ?? new Map<bigint, number>();
    challenges.set(index, cells.set(each.challengeId, each.cellIndex));
  }
  const found = new Map<number, Uint8Array>();
  for (const [index, cellOf] of challenges) {
    const { cells } = segmentLayout(dataset.layout, bundlePlace(dataset.layout, index).segment);
    if (new Set(cellOf.values()).size < cells) continue;
    const bytes = await publishedBundle(view, cellOf, cells);
    const whole = bytes?.subarray(0, bundleBytes(dataset.layout, index));
    const { transportRoot } = dataset.manifest.bundles[index]!;
    // The contract has checked each cell; the endpoint that gives them is not the chain.
    if (whole !== undefined && transportRootOf(whole) === transportRoot) found.set(index, whole);
  }
  return found;
}

/** The cells one after another; undefined where one was not published. */
async function publishedBundle(
  view: ChainView,
  cellOf: ReadonlyMap<bigint, number>,
  cells: number,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(cells * cellBytes);
  const missing = new Set(cellOf.values());
  const ids = [...cellOf.keys()];
  for (let first = 0; first < ids.length && missing.size > 0; first += atOnce) {
    const challengeId = ids.slice(first, first + atOnce);
    for (const { args } of await readLogs(view, "RetrievalChallenges", "CellPublished", { challengeId })) {
      const cell = cellOf.get(args.challengeId)!;
      bytes.set(hexToBytes(args.cell).subarray(0, cellBytes), cell * cellBytes);
      missing.delete(cell);
    }
  }
  return missing.size === 0 ? bytes : undefined;
}
