import type { MaybeShard } from "../../core/erasure/code.ts";
import type { ChainView } from "./client.ts";
import {
  type CodewordFraud,
  type CommittedDataset,
  findCodewordFraud,
  type RestoredData,
  restoreData,
} from "./codeword-fraud.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { Holder } from "./dataset.ts";
import { type BundleFailure, type BundleReader, fetchBundles } from "./fetch-bundles.ts";
import { publishedBundles } from "./published-cells.ts";

export type FetchDataParameters = {
  readonly dataset: CommittedDataset;
  readonly segment: number;
  /** Of all bundles of the segment. */
  readonly holders: readonly Holder[];
  /** Bundles that are here already, by position. */
  readonly known: readonly MaybeShard[];
  readonly signal?: AbortSignal;
  /** Told about each piece that arrives, bytes. */
  readonly onBytes?: (bytes: number) => void;
};

/** What was fetched of a segment, and its data bundles. */
export type FetchedData = {
  /** By position, each with its anchored root; those that were known among them. */
  readonly shards: readonly MaybeShard[];
  readonly failures: BundleFailure[];
  /** What convicts the owner, where that was looked for and found. */
  readonly fraud?: CodewordFraud;
} & RestoredData;

/**
 * Fetches k bundles of a segment and restores its data bundles. Parity that is none gives others than those that were anchored: these
 * are asked for themselves then, and taken from the chain where they are there. What is wrong still nobody gives.
 *
 * @throws NotEnoughBundlesError
 */
export async function fetchData(
  client: ChainView & BundleReader,
  { dataset, segment, holders, known, signal, onBytes }: FetchDataParameters,
): Promise<FetchedData> {
  const { k, n } = dataset.layout;
  const isHere = (position: number) => known[position] !== undefined;
  const here = Array.from({ length: n }, (_, position) => position).filter(isHere);
  const published = (indices: readonly number[]) => publishedBundles(client, dataset, indices);
  const common = { dataset, segment, published, signal, onBytes };
  const fetched = await fetchBundles(client, {
    ...common,
    holders,
    except: new Set(here.map((position) => segment * n + position)),
    count: Math.max(0, k - here.length),
  });
  const { failures } = fetched;
  const shards = fetched.shards.map((shard, position) => shard ?? known[position]);
  const first = restoreData(dataset, segment, shards);
  if (first.wrong.length === 0) return { shards, failures, ...first };
  const ask = (positions: readonly number[]) =>
    forEachConcurrently(positions, 4, signal, async (position) => {
      const holder = holders.find(({ bundleIndex }) => bundleIndex === segment * n + position)!;
      try {
        const one = await fetchBundles(client, { ...common, holders: [holder], count: 1 });
        shards[position] = one.shards[position];
      } catch {
        signal?.throwIfAborted();
      }
    });
  await ask(first.wrong);
  const second = restoreData(dataset, segment, shards);
  if (second.wrong.length === 0) return { shards, failures, ...second };
  await ask([...shards.keys()].filter((position) => position >= k && shards[position] === undefined));
  const fraud = await findCodewordFraud(client, dataset, segment, shards);
  return { shards, failures, fraud, ...restoreData(dataset, segment, shards) };
}
