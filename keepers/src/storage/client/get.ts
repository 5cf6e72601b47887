import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Hex, hexToBytes, keccak256 } from "viem";
import type { SegmentRead } from "../../core/dataset/decode.ts";
import {
  type DecodeParameters,
  decodeHashList,
  decodeObjects,
  planHashRead,
  planRead,
} from "../../core/dataset/decode.ts";
import { segmentLayout } from "../../core/dataset/layout.ts";
import { encodeManifest } from "../../core/dataset/manifest.ts";
import { ObjectHashes } from "../../core/dataset/object-hashes.ts";
import { ErasureCode, type MaybeShard } from "../../core/erasure/code.ts";
import { CannotWriteError, type WrittenFile, writeRecords } from "../readers/write-records.ts";
import { checkProofs, type ProofReport, type ProofSource } from "./check-proofs.ts";
import type { StorageClient } from "./client.ts";
import {
  type AnchoredDataset,
  allBundles,
  checkManifest,
  type Holder,
  type KnownDataset,
  readAnchor,
  readHolders,
} from "./dataset.ts";
import { openDatasetKey } from "./dataset-key.ts";
import type { BundleFailure } from "./fetch-bundles.ts";
import { fetchData } from "./fetch-data.ts";
import { fetchManifest } from "./fetch-manifest.ts";
import type { OnProgress } from "./progress.ts";
import { BundleStash } from "./stash.ts";

export type GetParameters = {
  datasetId: Hex;
  /** Folder to make; it appears whole, at the end. */
  target: string;
  /** Folder for what is on its way. */
  directory: string;
  /** Whether bundles stay where they are when the files are written; they go by default. */
  keepsBundles?: boolean;
  /** Which possession proofs are verified first; the last audit's by default. */
  proofs?: ProofSource;
  /** X25519 secret of a recipient, for encrypted datasets. */
  secret?: Uint8Array;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

export type GetResult = {
  datasetId: Hex;
  name: string;
  objectCount: number;
  /** Folder with the files. */
  target: string;
  files: WrittenFile[];
  /** Bytes downloaded in this run. */
  downloaded: number;
  proofs: ProofReport;
  /** Bundles that could not be used; others took their place. */
  replaced: BundleFailure[];
};

/** Objects decoded at a time. */
const objectsAtOnce = 1024;

export type FetchParameters = Omit<GetParameters, "target">;

/** A dataset of which k bundles of every segment are here. */
export type FetchedDataset = {
  dataset: KnownDataset;
  proofs: ProofReport;
  /** Bytes downloaded in this run. */
  downloaded: number;
  /** Bundles that could not be used; others took their place. */
  replaced: BundleFailure[];
  /** Objects `first` (included) to `end` (excluded), decoded, decrypted, each checked against its anchored hash. */
  objects(first: number, end: number): AsyncGenerator<Uint8Array>;
  /** Removes the bundles. Without it the next fetch of the dataset downloads nothing. */
  remove(): Promise<void>;
};

/**
 * Fetches a dataset: verifies proofs, downloads exactly k bundles of each segment, checks each against its anchored
 * root, decodes, decrypts, checks every object against its anchored hash, and writes the records as files.
 * @throws UnknownDatasetError, ManifestUnavailableError, ManifestMismatchError, NoDatasetKeyError; NotEnoughBundlesError
 * that says which nodes failed and how; CannotWriteError, StagingError; WrongEncodingError when the owner cheated
 */
export async function get(client: StorageClient, parameters: GetParameters): Promise<GetResult> {
  const { datasetId, target } = parameters;
  await assertFree(target);
  const { dataset, objects, remove, ...fetched } = await fetchDataset(client, parameters);
  const { objectCount, objectSize, format, name } = dataset.manifest;
  const files = await writeRecords({ format, objectCount, objectSize, target, objects });
  if (parameters.keepsBundles !== true) await remove();
  return { datasetId, name, objectCount, target, files, ...fetched };
}

/**
 * As {@link get}, but hands the objects over instead of writing them. Throws the same, except CannotWriteError; what is
 * wrong with an object comes out when it is read.
 */
export async function fetchDataset(
  client: StorageClient,
  { datasetId, directory, proofs = "chain", secret, signal, onProgress }: FetchParameters,
): Promise<FetchedDataset> {
  const anchored = await readAnchor(client, datasetId);
  const stash = await BundleStash.open(join(directory, datasetId));
  const dataset = await keepManifest(client, anchored, stash, signal);
  const cipher = openDatasetKey(dataset.manifest, secret);
  const holders = await readHolders(client, datasetId, allBundles(dataset.layout));
  const report = await checkProofs(client, { source: proofs, dataset, holders, signal, onProgress });
  const download = new Download(client, dataset, stash, { signal, onProgress });
  await download.run(bestFirst(holders, report));
  const decoding = {
    layout: dataset.layout,
    code: new ErasureCode(dataset.layout.k, dataset.layout.n),
    cipher,
  };
  const hashes = await readHashes(dataset, decoding, download);
  return {
    dataset,
    proofs: report,
    downloaded: download.bytes,
    replaced: download.failures,
    objects: (first, end) =>
      decodeRange({ dataset, decoding, download, hashes, onProgress, signal }, first, end),
    remove: () => stash.remove(),
  };
}

/** The manifest of an earlier attempt, or that of the dataset's holders, which is kept. */
export async function keepManifest(
  client: StorageClient,
  anchored: AnchoredDataset,
  stash: BundleStash,
  signal: AbortSignal | undefined,
): Promise<KnownDataset> {
  const kept = await stash.manifest();
  if (kept !== undefined && keccak256(kept) === anchored.anchor.manifestHash) {
    return checkManifest(anchored, kept);
  }
  const dataset = await fetchManifest(client, anchored, signal);
  await stash.keepManifest(encodeManifest(dataset.manifest));
  return dataset;
}

/** Said before anything is downloaded, although writing would say it as well. */
async function assertFree(target: string): Promise<void> {
  const names = await readdir(target).catch(() => []);
  if (names.length > 0) throw new CannotWriteError(target, "there are files in it");
}

/** Bundles whose proof is false come last: their holder has shown that it cheats, but may still have the bytes. */
function bestFirst(holders: readonly Holder[], { refuted }: ProofReport): Holder[] {
  const bad = new Set(refuted.map(({ bundleIndex }) => bundleIndex));
  return [
    ...holders.filter(({ bundleIndex }) => !bad.has(bundleIndex)),
    ...holders.filter(({ bundleIndex }) => bad.has(bundleIndex)),
  ];
}

/** Brings k bundles of every segment into the stash. */
class Download {
  bytes = 0;
  readonly failures: BundleFailure[] = [];
  readonly #client: StorageClient;
  readonly #dataset: KnownDataset;
  readonly #stash: BundleStash;
  readonly #options: Pick<GetParameters, "signal" | "onProgress">;
  /** Shards that are in the stash, by segment. */
  readonly #present: number[][];

  constructor(
    client: StorageClient,
    dataset: KnownDataset,
    stash: BundleStash,
    options: Pick<GetParameters, "signal" | "onProgress">,
  ) {
    this.#client = client;
    this.#dataset = dataset;
    this.#stash = stash;
    this.#options = options;
    this.#present = Array.from({ length: dataset.layout.segments }, () => []);
  }

  async run(holders: readonly Holder[]): Promise<void> {
    const { layout } = this.#dataset;
    for (let segment = 0; segment < layout.segments; segment++) {
      const first = segment * layout.n;
      const ofSegment = holders.filter(
        ({ bundleIndex }) => bundleIndex >= first && bundleIndex < first + layout.n,
      );
      await this.#findStashed(segment);
      await this.#fetch(segment, ofSegment);
    }
  }

  /** The bytes of a read, by position in the segment. */
  async shards(read: SegmentRead): Promise<(Uint8Array | undefined)[]> {
    const shards: (Uint8Array | undefined)[] = new Array(this.#dataset.layout.n).fill(undefined);
    for (const shard of this.#present[read.segment]!) {
      shards[shard] = await this.#stash.read(read.firstBundle + shard, read.range);
    }
    return shards;
  }

  async #findStashed(segment: number): Promise<void> {
    const { layout, manifest } = this.#dataset;
    const present = this.#present[segment]!;
    for (let shard = 0; shard < layout.n && present.length < layout.k; shard++) {
      const bundleIndex = segment * layout.n + shard;
      if (await this.#stash.has(bundleIndex, manifest.bundles[bundleIndex]!.transportRoot))
        present.push(shard);
    }
  }

  async #fetch(segment: number, holders: readonly Holder[]): Promise<void> {
    const { layout } = this.#dataset;
    const { signal, onProgress } = this.#options;
    const present = this.#present[segment]!;
    // What was fetched before may be parity that is none.
    if (present.length === layout.k && present.every((shard) => shard < layout.k)) return;
    const known: MaybeShard[] = new Array(layout.n).fill(undefined);
    const whole = { start: 0, end: segmentLayout(layout, segment).bundleBytes };
    for (const shard of present) known[shard] = await this.#stash.read(segment * layout.n + shard, whole);
    const { shards, failures } = await fetchData(this.#client, {
      ...{ dataset: this.#dataset, segment, holders, known, forFraud: false, signal },
      onBytes: (bytes) => {
        this.bytes += bytes;
        onProgress?.({ stage: "download", done: this.bytes, unit: "bytes" });
      },
    });
    this.failures.push(...failures);
    for (const [shard, bytes] of shards.entries()) {
      if (bytes === undefined || known[shard] !== undefined) continue;
      await this.#stash.add(segment * layout.n + shard, bytes);
      present.push(shard);
    }
    // Data bundles take the place of parity. Where they are not to be had, the hashes of the objects decide.
    present.sort((a, b) => a - b).splice(layout.k);
  }
}

async function readHashes(
  dataset: KnownDataset,
  decoding: DecodeParameters,
  download: Download,
): Promise<ObjectHashes> {
  const lists: Uint8Array[] = [];
  for (let segment = 0; segment < dataset.layout.segments; segment++) {
    lists.push(
      decodeHashList(decoding, segment, await download.shards(planHashRead(dataset.layout, segment))),
    );
  }
  return new ObjectHashes(dataset.layout, hexToBytes(dataset.manifest.objectRoot as Hex), lists);
}

type DecodeRangeParameters = {
  dataset: KnownDataset;
  decoding: DecodeParameters;
  download: Download;
  hashes: ObjectHashes;
  onProgress: OnProgress | undefined;
  signal: AbortSignal | undefined;
};

async function* decodeRange(
  { dataset, decoding, download, hashes, onProgress, signal }: DecodeRangeParameters,
  first: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  for (let from = first; from < end; from += objectsAtOnce) {
    signal?.throwIfAborted();
    for (const read of planRead(dataset.layout, from, Math.min(end, from + objectsAtOnce))) {
      yield* decodeObjects(decoding, read, await download.shards(read), hashes);
    }
    onProgress?.({ stage: "decode", done: Math.min(end, from + objectsAtOnce), total: end, unit: "objects" });
  }
}
