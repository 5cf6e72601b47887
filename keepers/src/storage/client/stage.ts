import { randomBytes } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesToHex, type Hex } from "viem";
import { type EncodedDataset, encodeDataset } from "../../core/dataset/encode.ts";
import { type DatasetCipher, keyBytes, wrapKey } from "../../core/dataset/encryption.ts";
import { encodeManifest, type Manifest } from "../../core/dataset/manifest.ts";
import { chooseSegmentObjects } from "../../core/dataset/shape.ts";
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
  const { source, k, n, recipients, signal, onProgress } = parameters;
  await removeStaged(journal);
  const cipher = recipients === undefined ? null : { key: secret(), salt: secret() };
  const { objectSize, objectCount } = source;
  const coding = { k, objectSize, encrypted: cipher !== null };
  const segmentObjects = chooseSegmentObjects(coding, { atMost: parameters.segmentObjects, objectCount });
  const bundles: Manifest["bundles"] = [];
  let done = 0;
  const segments = encodeDataset({ k, n, objectSize, segmentObjects, cipher }, source.objects());
  let next = await segments.next();
  while (next.done !== true) {
    signal?.throwIfAborted();
    const { segment, bundles: pieces, objects } = next.value;
    const staged = pieces.map((bundle, shard) =>
      stageBundle(journal, parameters.commit, segment * n + shard, bundle),
    );
    bundles.push(...(await settled(staged)));
    done += objects;
    onProgress?.({ stage: "encode", done, total: objectCount, unit: "objects" });
    next = await segments.next();
  }
  const bytes = encodeManifest(manifestOf(parameters, next.value, { segmentObjects, cipher, bundles }));
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

function manifestOf(
  { source, name, licence, description, k, n, recipients }: StageParameters,
  { objectCount, objectRoot }: EncodedDataset,
  coded: { segmentObjects: number; cipher: DatasetCipher | null; bundles: Manifest["bundles"] },
): Manifest {
  const { segmentObjects, cipher, bundles } = coded;
  return {
    version: 1,
    name,
    k,
    n,
    objectCount,
    objectSize: source.objectSize,
    segmentObjects,
    objectRoot: bytesToHex(objectRoot),
    bundles,
    format: source.format(),
    encryption: cipher === null ? null : encryptionOf(cipher, recipients ?? []),
    licence,
    description,
  };
}

function encryptionOf(cipher: DatasetCipher, recipients: readonly Uint8Array[]): Manifest["encryption"] {
  const hex = (bytes: Uint8Array): Hex => bytesToHex(bytes);
  return {
    scheme: "xchacha20poly1305",
    salt: hex(cipher.salt),
    keys: recipients.map((recipient) => {
      const { ephemeral, wrapped } = wrapKey(cipher, recipient, secret());
      return { recipient: hex(recipient), ephemeral: hex(ephemeral), wrapped: hex(wrapped) };
    }),
  };
}

function secret(): Uint8Array {
  return new Uint8Array(randomBytes(keyBytes));
}

/** Waits for all, so that no write is still under way when the first failure is thrown. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
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
