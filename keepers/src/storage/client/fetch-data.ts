import type { MaybeShard } from "../../core/erasure/code.ts";
import type { ChainView } from "./client.ts";
import {
  type CodewordFraud,
  type CommittedDataset,
  findCodewordFraud,
  firstOf,
  fraudAmong,
  type RestoredData,
  restoreData,
} from "./codeword-fraud.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { Holder } from "./dataset.ts";
import { type BundleFailure, type BundleReader, fetchBundle, fetchBundles } from "./fetch-bundles.ts";
import { publishedBundles } from "./published-cells.ts";

export type FetchDataParameters = {
  readonly dataset: CommittedDataset;
  readonly segment: number;
  /** Of all bundles of the segment. */
  readonly holders: readonly Holder[];
  /** Bundles that are here already, by position. */
  readonly known: readonly MaybeShard[];
  /** Whether what convicts the owner is looked for where the data is not to be had; true by default. */
  readonly forFraud?: boolean;
  /** Milliseconds for which data bundles are waited for when it is known what convicts; a minute by default. */
  readonly grace?: number;
  readonly signal?: AbortSignal;
  /** Told about each piece that arrives, bytes. */
  readonly onBytes?: (bytes: number) => void;
};

/** What was fetched of a segment, and its data bundles. */
export type FetchedData = {
  /** By position, each with its anchored root; those that were known among them. */
  readonly shards: readonly MaybeShard[];
  /** The k of them that were there first: what is wrong is not what these give. */
  readonly first: readonly MaybeShard[];
  readonly failures: BundleFailure[];
  /** What convicts the owner, where that was looked for and found. */
  readonly fraud?: CodewordFraud;
} & RestoredData;

/** Bundles beyond the first k that are in memory at once. */
const parallel = 4;

/**
 * Fetches k bundles of a segment and restores its data bundles. Parity that is none gives others than those that were anchored: these
 * are taken from the chain then where they are there, and asked for themselves, once. What is wrong still nobody gives. What convicts is
 * looked for on chain before anybody is waited for, and in each bundle that arrives; one that does not is let go of.
 *
 * @throws NotEnoughBundlesError
 */
export async function fetchData(
  client: ChainView & BundleReader,
  parameters: FetchDataParameters,
): Promise<FetchedData> {
  const { dataset, segment, holders, known, forFraud = true, grace = 60_000, signal, onBytes } = parameters;
  const { k, n } = dataset.layout;
  const isHere = (position: number) => known[position] !== undefined;
  const here = Array.from({ length: n }, (_, position) => position).filter(isHere);
  const published = (indices: readonly number[]) => publishedBundles(client, dataset, indices);
  const { shards: fetched, failures } = await fetchBundles(client, {
    ...{ dataset, segment, holders, published, signal, onBytes },
    except: new Set(here.map((position) => segment * n + position)),
    count: Math.max(0, k - here.length),
  });
  const shards = fetched.map((shard, position) => shard ?? known[position]);
  const first = firstOf(shards, k);
  let restored = restoreData(dataset, segment, shards);
  if (restored.wrong.length === 0) return { shards, first, failures, ...restored };
  for (const [index, bytes] of await published(restored.wrong.map((position) => segment * n + position)))
    shards[index % n] = bytes;
  restored = restoreData(dataset, segment, shards);
  if (restored.wrong.length === 0) return { shards, first, failures, ...restored };

  let fraud = forFraud ? await findCodewordFraud(client, dataset, segment, first) : undefined;
  const enough = new AbortController();
  const either = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
  const ask = (positions: readonly number[], onFraud: () => void) =>
    forEachConcurrently(positions, parallel, signal, async (position) => {
      const bundleIndex = segment * n + position;
      const operator = holders.find((holder) => holder.bundleIndex === bundleIndex)?.operator;
      if (operator === undefined || enough.signal.aborted) return;
      let bytes: Uint8Array;
      try {
        bytes = await fetchBundle(client, { dataset, bundleIndex, operator, signal: either, onBytes });
      } catch {
        signal?.throwIfAborted();
        return;
      }
      if (position < k) shards[position] = bytes;
      if (!forFraud || fraud !== undefined) return;
      const found = await fraudAmong(dataset, segment, first.with(position, bytes));
      fraud ??= found;
      if (found !== undefined) onFraud();
    });

  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    timer ??= setTimeout(() => enough.abort(), grace);
  };
  if (fraud !== undefined) end();
  try {
    await ask(restored.wrong, end);
  } finally {
    clearTimeout(timer);
  }
  restored = restoreData(dataset, segment, shards);
  if (forFraud && fraud === undefined && restored.wrong.length > 0) {
    const parity = [...shards.keys()].filter((position) => position >= k && shards[position] === undefined);
    await ask(parity, () => enough.abort());
  }
  return { shards, first, failures, fraud, ...restored };
}
