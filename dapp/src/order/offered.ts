import type { Manifest } from "../../../keepers/src/core/dataset/manifest.ts";
import type { OfferedDatasetsQuery } from "../../../subgraph/queries/documents.ts";

export type OfferedRow = OfferedDatasetsQuery["datasets"][number];

/** A dataset that can be trained on, by the name that its owner gave it. */
export type OfferedDataset = { readonly id: string; readonly name: string; readonly dataset: OfferedRow };

/** Datasets that are listed at first, and that are added when older ones are wanted. */
export const listedAtOnce = 100;

/** Rows that an index passes over at most. */
const mostSkipped = 5_000;

/** What is asked for so many pages of the list: as many rows each, since an index bounds what one answer could name. */
export const pagesOf = (count: number) =>
  Array.from({ length: count }, (_, page) => ({ first: listedAtOnce, skip: page * listedAtOnce }));

/** Whether older datasets could be listed, too: the last page is full, and an index would give the one after it. */
export const hasOlder = (pages: number, onLastPage: number): boolean =>
  onLastPage >= listedAtOnce && pages * listedAtOnce <= mostSkipped;

/** The rows of all pages. A page moves while datasets are anchored: what then stands on two of them counts once. */
export function rowsOf(pages: readonly (OfferedDatasetsQuery | undefined)[]): OfferedRow[] {
  const rows = new Map<string, OfferedRow>();
  for (const page of pages) for (const row of page?.datasets ?? []) rows.set(row.id, row);
  return [...rows.values()];
}

/** Why nothing can be ordered on a dataset that was named by its id; undefined when something can. */
export function unusable(dataset: OfferedRow | null): string | undefined {
  if (dataset === null) return "there is no dataset with this id on this chain";
  if (dataset.isFraudulent) return "it was proved to be encoded wrongly";
  if (dataset.isClosed) return "it is closed: nobody has to hold it any longer";
  if (dataset.isEncrypted) return "it is encrypted: nobody could train on it";
  return canBeRead(dataset) ? undefined : "too few of its bundles are held to read it";
}

type Held = Pick<OfferedRow, "k" | "n" | "bundles" | "isClosed" | "isFraudulent" | "isEncrypted">;

/** Whether every segment of a dataset has enough bundles to be read, and nothing speaks against it. */
export function canBeRead({ k, n, bundles, isClosed, isFraudulent, isEncrypted }: Held): boolean {
  if (isClosed || isFraudulent || isEncrypted || bundles.length === 0) return false;
  const segments = Map.groupBy(bundles, ({ index }) => Math.floor(index / n));
  // A list that was cut ends within a segment, of which nothing can be said.
  return [...segments.values()].every(
    (shards) => shards.length < n || shards.filter(({ isPlaced }) => isPlaced).length >= k,
  );
}

/** Those that hold records to train on: not files, as results of jobs and stored models are. */
export function offeredOf(
  datasets: readonly OfferedRow[],
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
