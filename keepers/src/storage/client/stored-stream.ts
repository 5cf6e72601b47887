import { bytesToHex, type Hex } from "viem";
import {
  bundlePlace,
  type DatasetLayout,
  locateObjectByte,
  segmentLayout,
  segmentOfObject,
} from "../../core/dataset/layout.ts";
import type { MaybeShard } from "../../core/erasure/code.ts";
import { BadInputError } from "../../core/errors.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";
import { cellOf } from "../../core/merkle/cell.ts";
import { readAnchoredRoots } from "./anchored-roots.ts";
import type { StorageClient } from "./client.ts";
import { allBundles, type Holder, readAnchor, readHolders } from "./dataset.ts";
import { MisencodedError } from "./errors.ts";
import { bundleBytes, type RootedDataset } from "./fetch-bundles.ts";
import { fetchData } from "./fetch-data.ts";
import { type PublishedCell, publishedCells } from "./published-cells.ts";
import { reasonOf } from "./reason.ts";
import { type BundlesTree, manifestTree, type RootedBundles, transportTreeOf } from "./roots.ts";
import type { BundleStash } from "./stash.ts";

/** A cell of a data bundle with its paths, as `IResultFraud` takes it. */
export type StoredCell = {
  readonly bundleIndex: number;
  readonly cellIndex: number;
  readonly poseidonRoot: Hex;
  readonly transportRoot: Hex;
  readonly bundleProof: readonly Hex[];
  readonly cell: Hex;
  readonly cellProof: readonly Hex[];
};

/** The objects of a dataset that is not encrypted, one after another, with what a contract checks their bytes by. */
export class StoredStream {
  /** Bytes of all objects. */
  readonly length: number;
  /** As many of the first of them as were fetched. */
  readonly bytes: Uint8Array;
  readonly #layout: DatasetLayout;
  readonly #manifest: RootedBundles;
  readonly #bundles: ReadonlyMap<number, Uint8Array>;
  readonly #tree: BundlesTree;
  readonly #trees = new Map<number, BinaryTree>();
  /** Of bundles that are not what was anchored, by bundle and cell. */
  readonly #published: ReadonlyMap<number, ReadonlyMap<number, PublishedCell>>;

  /**
   * @param bundles data bundles that hold the first `count` bytes, by their index in the dataset
   * @param published cells on chain of those of them that the others give, and that are not what was anchored
   */
  constructor(
    layout: DatasetLayout,
    manifest: RootedBundles,
    bundles: ReadonlyMap<number, Uint8Array>,
    count: number,
    published: ReadonlyMap<number, ReadonlyMap<number, PublishedCell>> = new Map(),
  ) {
    this.#published = published;
    this.#layout = layout;
    this.#manifest = manifest;
    this.#bundles = bundles;
    this.#tree = manifestTree(manifest);
    this.length = layout.objectCount * layout.objectSize;
    this.bytes = new Uint8Array(Math.min(count, this.length));
    for (let at = 0; at < this.bytes.length; ) {
      const within = at % layout.objectSize;
      const { bundle, offset } = locateObjectByte(layout, Math.floor(at / layout.objectSize), within);
      const run = Math.min(layout.shardLength - (within % layout.shardLength), layout.objectSize - within);
      const taken = Math.min(run, this.bytes.length - at);
      this.bytes.set(this.#bundles.get(bundle)!.subarray(offset, offset + taken), at);
      at += taken;
    }
  }

  /** The cells that hold these bytes, each once; bytes beyond the end lie in none. */
  cells(positions: readonly number[]): StoredCell[] {
    return this.#places(positions).map(({ bundleIndex, cellIndex }) => this.#open(bundleIndex, cellIndex));
  }

  /** Those of these cells that nobody can open: their bundles are not what was anchored, and they are not on chain. */
  unopened(positions: readonly number[]): CellPlace[] {
    return this.#places(positions).filter(
      ({ bundleIndex, cellIndex }) => this.#published.get(bundleIndex)?.has(cellIndex) === false,
    );
  }

  /** Bundles that are not what was anchored, of which some cells may be on chain. */
  get misencoded(): number[] {
    return [...this.#published.keys()];
  }

  /** Cells of a bundle. */
  cellsOf(bundleIndex: number): number {
    return segmentLayout(this.#layout, bundlePlace(this.#layout, bundleIndex).segment).cells;
  }

  #places(positions: readonly number[]): CellPlace[] {
    const found = new Map<string, CellPlace>();
    const { objectSize } = this.#layout;
    for (const position of positions.filter((each) => each < this.length)) {
      const object = Math.floor(position / objectSize);
      const { bundle, cell } = locateObjectByte(this.#layout, object, position % objectSize);
      found.set(`${bundle}:${cell}`, { bundleIndex: bundle, cellIndex: cell });
    }
    return [...found.values()];
  }

  #open(bundleIndex: number, cellIndex: number): StoredCell {
    const { poseidonRoot, transportRoot } = this.#manifest.bundles[bundleIndex]!;
    const bundle = {
      ...{ bundleIndex, cellIndex },
      poseidonRoot: poseidonRoot as Hex,
      transportRoot: transportRoot as Hex,
      bundleProof: this.#tree.proof(bundleIndex),
    };
    const shown = this.#published.get(bundleIndex)?.get(cellIndex);
    if (shown !== undefined) return { ...bundle, cell: bytesToHex(shown.cell), cellProof: shown.cellProof };
    const bytes = this.#bundles.get(bundleIndex)!;
    const tree = this.#trees.get(bundleIndex) ?? transportTreeOf(bytes);
    this.#trees.set(bundleIndex, tree);
    return {
      ...bundle,
      cell: bytesToHex(cellOf(bytes, cellIndex)),
      cellProof: tree.proof(cellIndex).map((sibling) => bytesToHex(sibling)),
    };
  }
}

/** Where a cell lies in a dataset. */
export type CellPlace = { readonly bundleIndex: number; readonly cellIndex: number };

export type StreamParameters = {
  readonly datasetId: Hex;
  /** First bytes that are wanted; fewer come of a dataset that has fewer. */
  readonly count: number;
  /** Bundles that were fetched before: they are read there, whoever serves them now. */
  readonly kept?: BundleStash;
  /**
   * Where the bundles are kept of a dataset that turns out to be wrongly encoded: what is published later convicts only beside them.
   * @param bytes that they have
   */
  readonly keep?: (bytes: number) => Promise<BundleStash | undefined>;
  /** Told why they are not kept: the own disk is full, say. */
  readonly onNotKept?: (reason: string) => void;
  readonly signal?: AbortSignal;
};

/**
 * Reads the first bytes of a dataset as its bundles hold them. It takes no manifest, and of bundles that nobody serves those that
 * are on chain: whoever is asked for cells there publishes them or is put out, but nothing makes anybody give a manifest.
 *
 * @throws what fetching bundles throws; MisencodedError; BadInputError for one that is encrypted
 */
export async function readStream(
  client: StorageClient,
  { datasetId, count, kept, signal, ...keeping }: StreamParameters,
): Promise<StoredStream> {
  const dataset = await readAnchoredRoots(client, await readAnchor(client, datasetId));
  const { layout, manifest } = dataset;
  const { objectCount, objectSize } = layout;
  if (layout.encrypted) throw new BadInputError(`the dataset ${datasetId} is encrypted`);
  const last = Math.min(objectCount, Math.ceil(count / objectSize)) - 1;
  const holders = await readHolders(client, datasetId, allBundles(layout));
  const bundles = new Map<number, Uint8Array>();
  const unkept = new Map<number, Uint8Array>();
  for (let segment = 0; segment <= segmentOfObject(layout, last).segment; segment++) {
    const ofSegment = holders.filter(
      ({ bundleIndex }) => bundlePlace(layout, bundleIndex).segment === segment,
    );
    const known = await keptShards(kept, dataset, segment);
    const { data, first, wrong, fraud } = await fetchData(client, {
      ...{ dataset, segment, known, signal },
      // What nobody holds any more may still be on chain.
      holders: [...ofSegment.filter(isHeld), ...ofSegment.filter((holder) => !isHeld(holder))],
    });
    for (const [shard, bytes] of data.entries()) bundles.set(segment * layout.n + shard, bytes);
    if (known.filter((bytes) => bytes !== undefined).length < layout.k)
      for (const [shard, bytes] of (wrong.length === 0 ? data : first).entries())
        if (bytes !== undefined) unkept.set(segment * layout.n + shard, bytes);
    if (wrong.length === 0) continue;
    await keepBundles(unkept, keeping);
    const indices = wrong.map((shard) => segment * layout.n + shard);
    const upTo = Math.min(count, (segment + 1) * layout.segmentObjects * objectSize);
    const shown = await cellsOnChain(client, dataset, indices);
    const stored = new StoredStream(layout, manifest, bundles, upTo, shown);
    throw new MisencodedError(datasetId, indices[0]!, fraud, stored);
  }
  return new StoredStream(layout, manifest, bundles, count);
}

/** The look goes on without a copy where the own disk takes none. */
async function keepBundles(
  bundles: ReadonlyMap<number, Uint8Array>,
  { keep, onNotKept }: Pick<StreamParameters, "keep" | "onNotKept">,
): Promise<void> {
  if (keep === undefined || bundles.size === 0) return;
  let bytes = 0;
  for (const bundle of bundles.values()) bytes += bundle.length;
  try {
    const stash = await keep(bytes);
    if (stash === undefined) onNotKept?.("the disk has no room for it");
    else for (const [index, bundle] of bundles) await stash.add(index, bundle);
  } catch (error) {
    onNotKept?.(reasonOf(error));
  }
}

/** What is on chain of bundles, by bundle and cell. */
async function cellsOnChain(client: StorageClient, dataset: RootedDataset, indices: readonly number[]) {
  const shown = new Map(indices.map((index) => [index, new Map<number, PublishedCell>()]));
  for (const each of await publishedCells(client, dataset, indices)) {
    shown.get(each.bundleIndex)!.set(each.cellIndex, each);
  }
  return shown;
}

/** At most k bundles of a segment that were kept. */
async function keptShards(
  kept: BundleStash | undefined,
  { layout, manifest }: RootedDataset,
  segment: number,
): Promise<MaybeShard[]> {
  const { k, n } = layout;
  const shards: MaybeShard[] = new Array(n).fill(undefined);
  let found = 0;
  for (let shard = 0; kept !== undefined && shard < n && found < k; shard++) {
    const index = segment * n + shard;
    if (!(await kept.has(index, manifest.bundles[index]!.transportRoot))) continue;
    shards[shard] = await kept.read(index, { start: 0, end: bundleBytes(layout, index) });
    found++;
  }
  return shards;
}

const isHeld = ({ operator }: Holder) => operator !== undefined;
