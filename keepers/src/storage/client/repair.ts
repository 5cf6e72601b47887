import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Address, Hex } from "viem";
import { bundlePlace } from "../../core/dataset/layout.ts";
import { encodeManifest, manifestCid, manifestDigest } from "../../core/dataset/manifest.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import { datasetStatus } from "./anchor.ts";
import type { StorageWriter } from "./client.ts";
import { allBundles, type Holder, type KnownDataset, readAnchor, readHolders } from "./dataset.ts";
import { DatasetOverError, StagingError } from "./errors.ts";
import { type BundleFailure, fetchBundles } from "./fetch-bundles.ts";
import { fetchManifest } from "./fetch-manifest.ts";
import type { OnProgress } from "./progress.ts";
import { PutJournal } from "./put-journal.ts";
import { type UploadFailure, uploadAll } from "./put-upload.ts";
import { reasonOf } from "./reason.ts";
import { transportRootOf } from "./roots.ts";
import { removeStaged } from "./stage.ts";

export type RepairParameters = {
  datasetId: Hex;
  /** Folder for repairs that are under way. */
  directory: string;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

export type RepairResult = {
  datasetId: Hex;
  /** Bundles that had no holder when the repair began. */
  vacant: number[];
  /** Bundles that an operator has now: it takes them over once it has proven that under a seed nobody knew before. */
  repaired: { bundleIndex: number; operator: Address }[];
  notRepaired: { bundleIndex: number; reason: string }[];
  /** Bundles that could not be used as sources. */
  unusable: BundleFailure[];
  failures: UploadFailure[];
};

/**
 * Restores the bundles that nobody holds from k others of their segment, checks them against their anchored roots, and
 * brings them to new operators, which take them over with a proof. Anyone may do that for any dataset; the bounty goes to
 * the operators that take them.
 * @throws UnknownDatasetError, DatasetOverError, ManifestUnavailableError, PutInProgressError
 */
export async function repair(client: StorageWriter, parameters: RepairParameters): Promise<RepairResult> {
  const { datasetId, signal } = parameters;
  const anchored = await readAnchor(client, datasetId);
  if (anchored.anchor.status !== datasetStatus.active) throw new DatasetOverError(datasetId);
  const dataset = await fetchManifest(client, anchored, signal);
  const holders = await readHolders(client, datasetId, allBundles(dataset.layout));
  const vacant = holders.flatMap(({ operator, bundleIndex }) =>
    operator === undefined ? [bundleIndex] : [],
  );
  const result: RepairResult = {
    datasetId,
    vacant,
    repaired: [],
    notRepaired: [],
    unusable: [],
    failures: [],
  };
  if (vacant.length === 0) return result;
  const journal = PutJournal.open(join(parameters.directory, `repair-${datasetId.slice(2, 34)}`));
  try {
    // An earlier repair's seed and receipts belong to other holders.
    for (const { bundleIndex } of journal.receipts()) journal.dropReceipt(bundleIndex);
    journal.forget("seed");
    const restored = await restore(client, parameters, { dataset, holders, vacant, journal, result });
    await bring(client, parameters, { dataset, holders, restored, journal, result });
    await removeStaged(journal);
  } finally {
    journal.close();
  }
  return result;
}

type Work = { dataset: KnownDataset; holders: readonly Holder[]; journal: PutJournal; result: RepairResult };

/** Restores vacant bundles, segment by segment, into the journal's folder. Returns those that were. */
async function restore(
  client: StorageWriter,
  { signal, onProgress }: RepairParameters,
  { dataset, holders, vacant, journal, result }: Work & { vacant: readonly number[] },
): Promise<number[]> {
  const { layout, manifest } = dataset;
  const code = new ErasureCode(layout.k, layout.n);
  const restored: number[] = [];
  for (const segment of new Set(vacant.map((bundleIndex) => bundlePlace(layout, bundleIndex).segment))) {
    const lost = vacant.filter((bundleIndex) => bundlePlace(layout, bundleIndex).segment === segment);
    const live = holders.filter(
      ({ bundleIndex, operator }) =>
        operator !== undefined && bundlePlace(layout, bundleIndex).segment === segment,
    );
    try {
      const { shards, failures } = await fetchBundles(client, { dataset, segment, holders: live, signal });
      result.unusable.push(...failures);
      const pieces = code.reconstruct(
        shards,
        lost.map((bundleIndex) => bundlePlace(layout, bundleIndex).shard),
      );
      for (const [i, bundleIndex] of lost.entries()) {
        if (transportRootOf(pieces[i]!) !== manifest.bundles[bundleIndex]!.transportRoot) {
          // The others are as anchored, so the owner encoded wrongly: nobody can restore this one.
          result.notRepaired.push({
            bundleIndex,
            reason: "what the others give does not have the anchored root",
          });
          continue;
        }
        await keep(journal, bundleIndex, pieces[i]!);
        restored.push(bundleIndex);
        onProgress?.({ stage: "repair", done: restored.length, total: vacant.length, unit: "bundles" });
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof StagingError) throw error;
      result.notRepaired.push(...lost.map((bundleIndex) => ({ bundleIndex, reason: reasonOf(error) })));
    }
  }
  return restored;
}

async function keep(journal: PutJournal, bundleIndex: number, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(journal.bundlePath(bundleIndex), bytes, { mode: 0o600 });
  } catch (cause) {
    throw new StagingError(journal.directory, cause, "Nothing was uploaded.");
  }
}

async function bring(
  client: StorageWriter,
  { datasetId, signal, onProgress }: RepairParameters,
  { dataset, holders, journal, result, restored }: Work & { restored: readonly number[] },
): Promise<void> {
  if (restored.length === 0) return;
  const { manifest, layout, anchor } = dataset;
  const manifestBytes = encodeManifest(manifest);
  const { failures, unplaced } = await uploadAll(client, {
    memory: journal,
    datasetId,
    owner: anchor.owner,
    manifest,
    manifestBytes,
    manifestCid: manifestCid(manifestDigest(manifestBytes)),
    terms: undefined,
    layout,
    bundles: restored,
    holders: new Map(
      holders.flatMap(({ bundleIndex, operator }) =>
        operator === undefined ? [] : [[bundleIndex, operator]],
      ),
    ),
    signal,
    onProgress,
  });
  result.failures.push(...failures);
  result.notRepaired.push(...unplaced.map((bundleIndex) => ({ bundleIndex, reason: "no operator took it" })));
  result.repaired.push(...journal.receipts().map(({ bundleIndex, operator }) => ({ bundleIndex, operator })));
}
