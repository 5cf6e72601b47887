import { type Hex, hexToBytes } from "viem";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { cellBytes } from "../../core/dataset/shape.ts";
import { bundleId } from "../../core/ids.ts";
import { verifyBinaryProof } from "../../core/merkle/binary-tree.ts";
import { leafHash } from "../../core/merkle/keccak.ts";
import type { ChainView } from "./client.ts";
import { bundleBytes, type RootedDataset } from "./fetch-bundles.ts";
import { readLogs } from "./read-logs.ts";
import { transportRootOf } from "./roots.ts";

/** Challenges whose publications are asked for at once: endpoints take filters of a thousand values. */
const atOnce = 500;

/**
 * Bundles that holders, or the owner, have published cell by cell, in answer to retrieval challenges.
 *
 * @param bundles indices within one segment; what is not on chain whole, or is not what was anchored, is left out
 * @returns bytes by the bundle's index
 */
export async function publishedBundles(
  view: ChainView,
  dataset: RootedDataset,
  bundles: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const challenges = await readChallenges(view, dataset, bundles);
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

/** A cell that was published, with its path to the bundle's anchored root. */
export type PublishedCell = {
  readonly bundleIndex: number;
  readonly cellIndex: number;
  /** All 496 bytes, as they were published: behind the end of a bundle, too. */
  readonly cell: Uint8Array;
  readonly cellProof: readonly Hex[];
};

/** Cells that holders, or the owner, have published of bundles that are not on chain whole, each once. */
export async function publishedCells(
  view: ChainView,
  dataset: RootedDataset,
  bundles: readonly number[],
): Promise<PublishedCell[]> {
  const found: PublishedCell[] = [];
  for (const [bundleIndex, cellOf] of await readChallenges(view, dataset, bundles)) {
    const { cells } = segmentLayout(dataset.layout, bundlePlace(dataset.layout, bundleIndex).segment);
    const root = hexToBytes(dataset.manifest.bundles[bundleIndex]!.transportRoot as Hex);
    const known = new Set<number>();
    for await (const { args } of publications(view, [...cellOf.keys()])) {
      const cellIndex = cellOf.get(args.challengeId)!;
      if (known.has(cellIndex)) continue;
      const cell = hexToBytes(args.cell);
      const siblings = args.proof.map((sibling) => hexToBytes(sibling));
      const opened = { root, leaf: leafHash(cell), index: cellIndex, leaves: cells, siblings };
      // What an endpoint says is not the chain.
      if (!verifyBinaryProof(opened)) continue;
      known.add(cellIndex);
      found.push({ bundleIndex, cellIndex, cell, cellProof: args.proof });
    }
  }
  return found;
}

/** What was published in answer to challenges. */
async function* publications(view: ChainView, challenges: readonly bigint[]) {
  for (let first = 0; first < challenges.length; first += atOnce) {
    const challengeId = challenges.slice(first, first + atOnce);
    yield* await readLogs(view, "RetrievalChallenges", "CellPublished", { challengeId });
  }
}

/** Cells that were ever asked for of bundles, by challenge. */
async function readChallenges(
  view: ChainView,
  { datasetId }: RootedDataset,
  bundles: readonly number[],
): Promise<ReadonlyMap<number, ReadonlyMap<bigint, number>>> {
  const indexOf = new Map(bundles.map((index) => [bundleId(datasetId, index), index]));
  const args = { bundleId: [...indexOf.keys()] };
  const asked = await readLogs(view, "RetrievalChallenges", "RetrievalChallenged", args);
  const challenges = new Map<number, Map<bigint, number>>();
  const add = (index: number, challengeId: bigint, cellIndex: number) => {
    const cells = challenges.get(index) ?? new Map<bigint, number>();
    challenges.set(index, cells.set(challengeId, cellIndex));
  };
  for (const { args: each } of asked) add(indexOf.get(each.bundleId)!, each.challengeId, each.cellIndex);
  const ofOwner = await readLogs(view, "RetrievalChallenges", "OwnerChallenged", { datasetId });
  for (const { args: each } of ofOwner) {
    if (bundles.includes(each.bundleIndex)) add(each.bundleIndex, each.challengeId, each.cellIndex);
  }
  return challenges;
}

/** The cells one after another; undefined where one was not published. */
async function publishedBundle(
  view: ChainView,
  cellOf: ReadonlyMap<bigint, number>,
  cells: number,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(cells * cellBytes);
  const missing = new Set(cellOf.values());
  for await (const { args } of publications(view, [...cellOf.keys()])) {
    const cell = cellOf.get(args.challengeId)!;
    bytes.set(hexToBytes(args.cell).subarray(0, cellBytes), cell * cellBytes);
    missing.delete(cell);
    if (missing.size === 0) break;
  }
  return missing.size === 0 ? bytes : undefined;
}
