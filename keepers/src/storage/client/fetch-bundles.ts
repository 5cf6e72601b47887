import type { Address, Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { type RefusalCode, RefusalError, TransportError } from "../transport/errors.ts";
import type { ShardClient } from "../transport/shard-client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { AnchoredDataset, Holder } from "./dataset.ts";
import { NotEnoughBundlesError } from "./errors.ts";
import { reasonOf } from "./reason.ts";
import { transportRootOf } from "./roots.ts";

/** What reaches the holders of bundles. */
export type BundleReader = {
  readonly peers: { connect(operator: Address, signal?: AbortSignal): Promise<Pick<ShardClient, "get">> };
};

/** What of a dataset fetching its bundles takes: it is known without the manifest, too. */
export type RootedDataset = Pick<AnchoredDataset, "datasetId" | "layout"> & {
  readonly manifest: { readonly bundles: readonly { readonly transportRoot: string }[] };
};

/** A bundle that could not be used, and why; another one was taken in its place where there was one. */
export type BundleFailure = { bundleIndex: number; operator: Address | undefined; reason: string };

export type FetchBundlesParameters = {
  dataset: RootedDataset;
  segment: number;
  /** Of all bundles of the segment. */
  holders: readonly Holder[];
  /** Bundles not to ask for: known to be lost, or wanted from elsewhere. */
  except?: ReadonlySet<number>;
  /** How many are needed; k by default. */
  count?: number;
  /** Asked for bundles that nobody serves, by their indices, where too few are served. */
  published?: (bundles: readonly number[]) => Promise<ReadonlyMap<number, Uint8Array>>;
  /** Milliseconds until holders that could not be reached are asked once more, where too few serve; two seconds by default. */
  pause?: number;
  /** Milliseconds within which a holder has failed that is asked once more; by default all that is less than a whole time of it. */
  brief?: number;
  signal?: AbortSignal;
  /** Told about each piece that arrives, bytes. */
  onBytes?: (bytes: number) => void;
  onFailure?: (failure: BundleFailure) => void;
};

/** What was fetched of a segment: bundles by shard number, each with the anchored transport root. */
export type FetchedBundles = { shards: (Uint8Array | undefined)[]; failures: BundleFailure[] };

/** Downloads under way at once; a bundle has at most 8 MB. */
const parallel = 8;
const usualPause = 2_000;
/** Least milliseconds that a holder has for a bundle: whoever has used them up would do so again. */
const wholeTime = 60_000;
/** Refusals that say nothing about the bundle. */
const passing: readonly RefusalCode[] = ["busy", "rate-limited", "internal"];

/** Whether the same holder may give a bundle a moment later: this machine, or the holder's, may have been too busy. */
function mayPass(error: unknown): boolean {
  return error instanceof RefusalError ? passing.includes(error.code) : error instanceof TransportError;
}

/**
 * Downloads exactly `count` bundles of a segment: data bundles first, since they need no decoding. One whose holder is
 * gone, too slow, or gives bytes without the anchored root is replaced by the next one, and in the end by one that is on chain.
 * Where all of that is too little, holders that could not be reached are asked once more.
 * @throws NotEnoughBundlesError that says what each holder did
 */
export async function fetchBundles(
  client: BundleReader,
  parameters: FetchBundlesParameters,
): Promise<FetchedBundles> {
  const { dataset, segment, holders, except, count = dataset.layout.k, signal } = parameters;
  const shards: (Uint8Array | undefined)[] = new Array(dataset.layout.n).fill(undefined);
  const failures = new Map<number, BundleFailure>();
  const unreached: Holder[] = [];
  let missing = count;
  const placeOf = (bundleIndex: number) => bundlePlace(dataset.layout, bundleIndex).shard;
  const fetchFrom = async (holder: Holder): Promise<void> => {
    const { bundleIndex, operator } = holder;
    const began = performance.now();
    try {
      if (operator === undefined) throw new Error("nobody holds it");
      const { onBytes } = parameters;
      const bytes = await fetchBundle(client, { dataset, bundleIndex, operator, signal, onBytes });
      shards[placeOf(bundleIndex)] = bytes;
      // What comes at the second time need not be replaced.
      failures.delete(bundleIndex);
      missing--;
    } catch (error) {
      signal?.throwIfAborted();
      const isBrief = performance.now() - began < (parameters.brief ?? wholeTime);
      if (isBrief && mayPass(error)) unreached.push(holder);
      const failure = { bundleIndex, operator, reason: reasonOf(error) };
      if (!failures.has(bundleIndex)) parameters.onFailure?.(failure);
      failures.set(bundleIndex, failure);
    }
  };
  const ask = async (asked: readonly Holder[]): Promise<void> => {
    const waiting = [...asked];
    while (missing > 0 && waiting.length > 0)
      await forEachConcurrently(waiting.splice(0, missing), parallel, signal, fetchFrom);
  };
  await ask(holders.filter(({ bundleIndex }) => except?.has(bundleIndex) !== true));
  if (missing > 0 && parameters.published !== undefined) {
    for (const [bundleIndex, bytes] of await parameters.published([...failures.keys()])) {
      if (missing === 0) break;
      shards[placeOf(bundleIndex)] = bytes;
      missing--;
    }
  }
  // What the chain has given is here already.
  const again = unreached.filter(({ bundleIndex }) => shards[placeOf(bundleIndex)] === undefined);
  if (missing > 0 && again.length > 0) {
    await new Promise((resolve) => setTimeout(resolve, parameters.pause ?? usualPause));
    signal?.throwIfAborted();
    await ask(again);
  }
  if (missing === 0) return { shards, failures: [...failures.values()] };
  const reasons = [...failures.values()].map(({ operator, bundleIndex, reason }) => ({
    operator: operator ?? ("0x" as Hex),
    reason: `bundle ${bundleIndex}: ${reason}`,
  }));
  throw new NotEnoughBundlesError(segment, count - missing, count, reasons);
}

export type FetchBundleParameters = {
  dataset: RootedDataset;
  bundleIndex: number;
  operator: Address;
  signal?: AbortSignal;
  onBytes?: (bytes: number) => void;
};

/** Downloads one bundle from one operator and checks it. */
export async function fetchBundle(
  client: BundleReader,
  { dataset, bundleIndex, operator, signal, onBytes }: FetchBundleParameters,
): Promise<Uint8Array> {
  const length = bundleBytes(dataset.layout, bundleIndex);
  const shards = await client.peers.connect(operator, signal);
  const bytes = new Uint8Array(length);
  let filled = 0;
  const request = { datasetId: dataset.datasetId, bundleIndex, offset: 0, length };
  for await (const piece of shards.get(request, { signal })) {
    bytes.set(piece, filled);
    filled += piece.length;
    onBytes?.(piece.length);
  }
  const { transportRoot } = dataset.manifest.bundles[bundleIndex]!;
  if (transportRootOf(bytes) !== transportRoot) throw new Error("its bytes do not have the anchored root");
  return bytes;
}

/** Bytes of a bundle. */
export function bundleBytes(layout: DatasetLayout, bundleIndex: number): number {
  return segmentLayout(layout, bundlePlace(layout, bundleIndex).segment).bundleBytes;
}
