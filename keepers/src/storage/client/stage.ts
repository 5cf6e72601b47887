import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesToHex } from "viem";
import { buildDataset } from "../../core/dataset/build.ts";
import { blobCid } from "../backends/blob-cid.ts";
import type { DatasetSource } from "../readers/source.ts";
import { StagingError } from "./errors.ts";
import type { OnProgress } from "./progress.ts";
import type { PutJournal } from "./put-journal.ts";

/** Both roots of a bundle, 32 bytes each. */
export type CommitBundle = (
  bundle: Uint8Array,
) => Promise<{ poseidonRoot: Uint8Array; transportRoot: Uint8Array }>;

export type StageParameters = {
  source: DatasetSource;
  name: string;
  licence: string;
  description: string;
  k: number;
  n: number;
  /** Most objects of a segment; as many as fit by default. */
  segmentObjects?: number;
  /** X25519 public keys of those who may read it; undefined for a dataset that everybody may read. */
  recipients?: readonly Uint8Array[];
  commit: CommitBundle;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

/**
 * Encodes a source into bundle files and a manifest in the journal's folder. Memory: the bundles of one segment. A
 * staging that was interrupted begins anew: nothing of it has left the machine, and an encrypted one gets a new key.
 * @returns the manifest's bytes
 * @throws BadInputError for a source that cannot be a dataset; StagingError when the disk is full
 */
export async function stageDataset(journal: PutJournal, parameters: StageParameters): Promise<Uint8Array> {
  const { source, commit, onProgress } = parameters;
  await removeStaged(journal);
  const bytes = await buildDataset({
    ...parameters,
    keep: (bundleIndex, bundle) => stageBundle(journal, commit, bundleIndex, bundle),
    onObjects: (done) => onProgress?.({ stage: "encode", done, total: source.objectCount, unit: "objects" }),
  });
  await write(journal.manifestPath, bytes);
  return bytes;
}

/** Deletes what an earlier staging wrote. */
export async function removeStaged(journal: PutJournal): Promise<void> {
  const folder = dirname(journal.bundlePath(0));
  for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
}

async function stageBundle(
  journal: PutJournal,
  commit: CommitBundle,
  bundleIndex: number,
  bytes: Uint8Array,
) {
  const [roots] = await Promise.all([commit(bytes), write(journal.bundlePath(bundleIndex), bytes)]);
  return {
    poseidonRoot: bytesToHex(roots.poseidonRoot),
    transportRoot: bytesToHex(roots.transportRoot),
    cid: blobCid(bytes).toString(),
  };
}

/** Writes a file so that it is on disk, whole, or not there. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.part`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new StagingError(dirname(path), cause);
  }
}
