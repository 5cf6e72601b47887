import { bytesToHex, type Hex } from "viem";
import {
  bundlePlace,
  type DatasetLayout,
  locateObjectByte,
  segmentOfObject,
} from "../../core/dataset/layout.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import { BadInputError } from "../../core/errors.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";
import { cellOf } from "../../core/merkle/cell.ts";
import { readAnchoredRoots } from "./anchored-roots.ts";
import type { StorageClient } from "./client.ts";
import { allBundles, type Holder, readAnchor, readHolders } from "./dataset.ts";
import { bundleBytes, fetchBundles, type RootedDataset } from "./fetch-bundles.ts";
import { publishedBundles } from "./published-cells.ts";
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

  /** @param bundles data bundles that hold the first `count` bytes, by their index in the dataset */
  constructor(
    layout: DatasetLayout,
    manifest: RootedBundles,
    bundles: ReadonlyMap<number, Uint8Array>,
    count: number,
  ) {
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
    const found = new Map<string, StoredCell>();
    const { objectSize } = this.#layout;
    for (const position of positions.filter((each) => each < this.length)) {
      const object = Math.floor(position / objectSize);
      const { bundle, cell } = locateObjectByte(this.#layout, object, position % objectSize);
      found.set(`${bundle}:${cell}`, this.#open(bundle, cell));
    }
    return [...found.values()];
  }

  #open(bundleIndex: number, cellIndex: number): StoredCell {
    const bytes = this.#bundles.get(bundleIndex)!;
    const tree = this.#trees.get(bundleIndex) ?? transportTreeOf(bytes);
    this.#trees.set(bundleIndex, tree);
    const { poseidonRoot, transportRoot } = this.#manifest.bundles[bundleIndex]!;
    return {
      bundleIndex,
      cellIndex,
      poseidonRoot: poseidonRoot as Hex,
      transportRoot: transportRoot as Hex,
      bundleProof: this.#tree.proof(bundleIndex),
      cell: bytesToHex(cellOf(bytes, cellIndex)),
      cellProof: tree.proof(cellIndex).map((sibling) => bytesToHex(sibling)),
    };
  }
}

export type StreamParameters = {
  readonly datasetId: Hex;
  /** First bytes that are wanted; fewer come of a dataset that has fewer. */
  readonly count: number;
  /** Bundles that were fetched before: they are read there, whoever serves them now. */
  readonly kept?: BundleStash;
  readonly signal?: AbortSignal;
};

/**
 * Reads the first bytes of a dataset as its bundles hold them. It takes no manifest, and of bundles that nobody serves those that
 * are on chain: whoever is asked for cells there publishes them or is put out, but nothing makes anybody give a manifest.
 *
 * @throws what fetching bundles throws; BadInputError for one that is encrypted, or wrongly encoded
 */
export async function readStream(
  client: StorageClient,
  { datasetId, count, kept, signal }: StreamParameters,
): Promise<StoredStream> {
  const dataset = await readAnchoredRoots(client, await readAnchor(client, datasetId));
  const { layout, manifest } = dataset;
  const { k, n, objectCount, objectSize } = layout;
  if (layout.encrypted) throw new BadInputError(`the dataset ${datasetId} is encrypted`);
  const last = Math.min(objectCount, Math.ceil(count / objectSize)) - 1;
  const holders = await readHolders(client, datasetId, allBundles(layout));
  const published = (indices: readonly number[]) => publishedBundles(client, dataset, indices);
  const code = new ErasureCode(k, n);
  const bundles = new Map<number, Uint8Array>();
  for (let segment = 0; segment <= segmentOfObject(layout, last).segment; segment++) {
    const ofSegment = holders.filter(
      ({ bundleIndex }) => bundlePlace(layout, bundleIndex).segment === segment,
    );
    const known = await keptShards(kept, dataset, segment);
    const { shards } = await fetchBundles(client, {
      ...{ dataset, segment, published, signal },
      except: new Set([...known.keys()].map((shard) => segment * n + shard)),
      count: Math.max(0, k - known.size),
      // What nobody holds any more may still be on chain.
      holders: [...ofSegment.filter(isHeld), ...ofSegment.filter((holder) => !isHeld(holder))],
    });
    for (const [shard, bytes] of known) shards[shard] = bytes;
    const missing = Array.from({ length: k }, (_, shard) => shard).filter(
      (shard) => shards[shard] === undefined,
    );
    const restored = missing.length === 0 ? [] : code.reconstruct(shards, missing);
    for (let shard = 0; shard < k; shard++) {
      const index = segment * n + shard;
      const bytes = shards[shard] ?? restored[missing.indexOf(shard)]!;
      if (bytesToHex(transportTreeOf(bytes).root) !== manifest.bundles[index]!.transportRoot) {
        throw new BadInputError(`the dataset ${datasetId} is wrongly encoded: bundle ${index} is another`, {
          next: "`assay data verify` shows it to the contracts.",
        });
      }
      bundles.set(index, bytes);
    }
  }
  return new StoredStream(layout, manifest, bundles, count);
}

/** At most k bundles of a segment that were kept. */
async function keptShards(
  kept: BundleStash | undefined,
  { layout, manifest }: RootedDataset,
  segment: number,
): Promise<Map<number, Uint8Array>> {
  const { k, n } = layout;
  const shards = new Map<number, Uint8Array>();
  for (let shard = 0; kept !== undefined && shard < n && shards.size < k; shard++) {
    const index = segment * n + shard;
    if (!(await kept.has(index, manifest.bundles[index]!.transportRoot))) continue;
    shards.set(shard, await kept.read(index, { start: 0, end: bundleBytes(layout, index) }));
  }
  return shards;
}

const isHeld = ({ operator }: Holder) => operator !== undefined;
