import type { Manifest } from "../../../keepers/src/core/dataset/manifest.ts";
import type { StoredDatasetsQuery } from "../../../subgraph/queries/documents.ts";

export type StoredDataset = StoredDatasetsQuery["datasets"][number];

/** A dataset that can be trained on, by the name that its owner gave it. */
export type OfferedDataset = { readonly id: string; readonly name: string; readonly dataset: StoredDataset };

/** Datasets that are listed at first, and that are added when older ones are wanted. */
export const listedAtOnce = 100;

/** Rows that an index gives at once, at most. */
const mostListed = 1_000;

/** How many to ask for when older ones are wanted; undefined when there are no more, or no index would give them. */
export function olderThan(listed: number, asked: number): number | undefined {
  return listed < asked || asked >= mostListed ? undefined : Math.min(asked + listedAtOnce, mostListed);
}

/** Whether every segment of a dataset has enough bundles to be read, and nothing speaks against it. */
export function canBeRead({ k, n, bundles, isClosed, isFraudulent, isEncrypted }: StoredDataset): boolean {
  if (isClosed || isFraudulent || isEncrypted || bundles.length === 0) return false;
  const segments = Map.groupBy(bundles, ({ index }) => Math.floor(index / n));
  // A list that was cut ends within a segment, of which nothing can be said.
  return [...segments.values()].every(
    (shards) => shards.length < n || shards.filter(({ isPlaced }) => isPlaced).length >= k,
  );
}

/** Those that hold records to train on: not files, as results of jobs and stored models are. */
export function offeredOf(
  datasets: readonly StoredDataset[],
  manifests: ReadonlyMap<string, Pick<Manifest, "name" | "format">>,
): OfferedDataset[] {
  return datasets.flatMap((dataset) => {
    const manifest = manifests.get(dataset.id);
    return manifest?.format.kind === "records" ? [{ id: dataset.id, name: manifest.name, dataset }] : [];
  });
}

/** Those whose name or id has what somebody looks for. */
export function foundIn(offered: readonly OfferedDataset[], search: string): readonly OfferedDataset[] {
  const wanted = search.trim().toLowerCase();
  return offered.filter(({ id, name }) => id.includes(wanted) || name.toLowerCase().includes(wanted));
}
