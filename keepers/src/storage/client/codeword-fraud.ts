import { bytesToHex, type Hex } from "viem";
import { cellBytes } from "../../core/dataset/shape.ts";
import { ErasureCode, type MaybeShard } from "../../core/erasure/code.ts";
import { findWrongSymbol, searchWrongSymbol } from "../../core/erasure/fraud.ts";
import { cellOf } from "../../core/merkle/cell.ts";
import type { ChainView } from "./client.ts";
import type { RootedDataset } from "./fetch-bundles.ts";
import { type PublishedCell, publishedBundles, publishedCells } from "./published-cells.ts";
import { type BundlesTree, type RootedBundles, transportRootOf, transportTreeOf } from "./roots.ts";

/** A dataset with what its cells are opened by. */
export type CommittedDataset = RootedDataset & {
  readonly manifest: RootedBundles;
  readonly tree: BundlesTree;
};

/** A cell of a bundle with its paths, as `IEncodingFraud` takes it. */
export type OpenedCell = {
  readonly bundleIndex: number;
  readonly poseidonRoot: Hex;
  readonly transportRoot: Hex;
  readonly bundleProof: readonly Hex[];
  readonly cell: Hex;
  readonly cellProof: readonly Hex[];
};

/** What convicts the owner of a dataset whose bundles are no codeword: `IEncodingFraud.proveCodeword`. */
export type CodewordFraud = {
  readonly datasetId: Hex;
  readonly cellIndex: number;
  /** Byte of the cell. */
  readonly offset: number;
  /** k + 1 of one segment. */
  readonly cells: readonly OpenedCell[];
};

/** The data bundles of a segment, by k bundles of it that have their anchored roots. */
export type RestoredData = {
  readonly data: readonly Uint8Array[];
  /** Shards of those that are not what was anchored: the others' bytes are, so that they were encoded wrongly. */
  readonly wrong: readonly number[];
};

/** @param shards of a segment by position, n of them, each with its anchored root; k at least are there */
export function restoreData(
  { layout: { k, n }, manifest }: RootedDataset,
  segment: number,
  shards: readonly MaybeShard[],
): RestoredData {
  const missing = Array.from({ length: k }, (_, shard) => shard).filter(
    (shard) => shards[shard] === undefined,
  );
  const restored = missing.length === 0 ? [] : new ErasureCode(k, n).reconstruct(shards, missing);
  const wrong = missing.filter(
    (shard, i) => transportRootOf(restored[i]!) !== manifest.bundles[segment * n + shard]!.transportRoot,
  );
  const data = Array.from({ length: k }, (_, shard) => shards[shard] ?? restored[missing.indexOf(shard)]!);
  return { data, wrong };
}

/**
 * What convicts, among the bundles of a segment that were fetched, or where these fit each other with what is on chain of the rest.
 *
 * @param shards as {@link restoreData} takes them
 * @returns undefined where nothing that is known contradicts the rest
 */
export async function findCodewordFraud(
  view: ChainView,
  dataset: CommittedDataset,
  segment: number,
  shards: readonly MaybeShard[],
): Promise<CodewordFraud | undefined> {
  return (await fraudAmong(dataset, segment, shards)) ?? (await fraudOnChain(view, dataset, segment, shards));
}

/**
 * What convicts, among what is on chain of a segment and bundles of it that fit each other.
 *
 * @param shards as {@link restoreData} takes them
 */
export async function fraudOnChain(
  view: ChainView,
  dataset: CommittedDataset,
  segment: number,
  shards: readonly MaybeShard[],
): Promise<CodewordFraud | undefined> {
  const { k, n } = dataset.layout;
  const rest = [...shards.keys()].filter((shard) => shards[shard] === undefined);
  const indices = rest.map((shard) => segment * n + shard);
  const first = firstOf(shards, k);
  for (const [index, bytes] of await publishedBundles(view, dataset, indices)) {
    const found = await fraudAmong(dataset, segment, first.with(index % n, bytes));
    if (found !== undefined) return found;
  }
  return await fraudOfCells(dataset, segment, first, await publishedCells(view, dataset, indices));
}

/** The first of the shards that are there. */
export function firstOf(shards: readonly MaybeShard[], count: number): MaybeShard[] {
  let left = count;
  return shards.map((shard) => (shard !== undefined && left-- > 0 ? shard : undefined));
}

/** What convicts among bundles alone. */
export async function fraudAmong(
  dataset: CommittedDataset,
  segment: number,
  shards: readonly MaybeShard[],
): Promise<CodewordFraud | undefined> {
  const { k, n } = dataset.layout;
  const place = await searchWrongSymbol(new ErasureCode(k, n), shards);
  if (place === undefined) return undefined;
  const cellIndex = Math.floor(place.offset / cellBytes);
  return {
    datasetId: dataset.datasetId,
    cellIndex,
    offset: place.offset % cellBytes,
    cells: await openCells(dataset, segment, shards, place.positions, cellIndex),
  };
}

/** A cell on chain that is not what k bundles give in its place. */
async function fraudOfCells(
  dataset: CommittedDataset,
  segment: number,
  shards: readonly MaybeShard[],
  published: readonly PublishedCell[],
): Promise<CodewordFraud | undefined> {
  const { k, n } = dataset.layout;
  const code = new ErasureCode(k, n);
  const sources = [...shards.keys()].filter((shard) => shards[shard] !== undefined).slice(0, k);
  if (sources.length < k) return undefined;
  for (const { bundleIndex, cellIndex, cell, cellProof } of published) {
    const cells = shards.map((shard, position) =>
      shard === undefined || !sources.includes(position) ? undefined : cellOf(shard, cellIndex),
    );
    cells[bundleIndex % n] = cell;
    const place = findWrongSymbol(code, cells);
    if (place === undefined) continue;
    const others = await openCells(dataset, segment, shards, sources, cellIndex);
    const opened = { ...committed(dataset, bundleIndex), cell: bytesToHex(cell), cellProof };
    return { datasetId: dataset.datasetId, cellIndex, offset: place.offset, cells: [...others, opened] };
  }
  return undefined;
}

/** The same cell of several bundles. Each takes hashing a whole bundle: between them the thread has other work. */
async function openCells(
  dataset: CommittedDataset,
  segment: number,
  shards: readonly MaybeShard[],
  positions: readonly number[],
  cellIndex: number,
): Promise<OpenedCell[]> {
  const { n } = dataset.layout;
  const cells: OpenedCell[] = [];
  for (const shard of positions) {
    cells.push(openCell(dataset, segment * n + shard, shards[shard]!, cellIndex));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return cells;
}

function openCell(
  dataset: CommittedDataset,
  bundleIndex: number,
  bytes: Uint8Array,
  cellIndex: number,
): OpenedCell {
  const path = transportTreeOf(bytes).proof(cellIndex);
  return {
    ...committed(dataset, bundleIndex),
    cell: bytesToHex(cellOf(bytes, cellIndex)),
    cellProof: path.map((sibling) => bytesToHex(sibling)),
  };
}

function committed({ manifest, tree }: CommittedDataset, bundleIndex: number) {
  const { poseidonRoot, transportRoot } = manifest.bundles[bundleIndex]!;
  return {
    bundleIndex,
    poseidonRoot: poseidonRoot as Hex,
    transportRoot: transportRoot as Hex,
    bundleProof: tree.proof(bundleIndex),
  };
}
