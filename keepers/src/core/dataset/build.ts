import { bytesToHex } from "viem";
import { type EncodedDataset, encodeDataset } from "./encode.ts";
import { type DatasetCipher, keyBytes, wrapKey } from "./encryption.ts";
import type { DatasetFormat } from "./format.ts";
import { encodeManifest, type Manifest } from "./manifest.ts";
import { chooseSegmentObjects } from "./shape.ts";

/** Objects of one size, and how records are read from them once all were read. */
export type BuildSource = {
  readonly objectSize: number;
  readonly objectCount: number | undefined;
  objects(): AsyncIterable<Uint8Array>;
  format(): DatasetFormat;
};

/** What the manifest says of a bundle. */
export type BundleEntry = Manifest["bundles"][number];

export type BuildParameters = {
  readonly source: BuildSource;
  readonly name: string;
  readonly licence: string;
  readonly description: string;
  readonly k: number;
  readonly n: number;
  /** Most objects of a segment; as many as fit by default. */
  readonly segmentObjects?: number;
  /** X25519 public keys of those who may read it; undefined for a dataset that everybody may read. */
  readonly recipients?: readonly Uint8Array[];
  /** Keeps a bundle and says what the manifest says of it; those of a segment are given at once. */
  readonly keep: (bundleIndex: number, bytes: Uint8Array) => Promise<BundleEntry>;
  readonly onObjects?: (done: number) => void;
  readonly signal?: AbortSignal;
};

/**
 * Makes a dataset of objects: bundles, which go to `keep`, and a manifest. Memory: the bundles of one segment.
 * @returns the manifest's bytes
 * @throws BadInputError for a source that cannot be a dataset; what source and `keep` throw
 */
export async function buildDataset(parameters: BuildParameters): Promise<Uint8Array> {
  const { source, k, n, recipients, keep, onObjects, signal } = parameters;
  const cipher = recipients === undefined ? null : { key: secret(), salt: secret() };
  const { objectSize, objectCount } = source;
  const coding = { k, objectSize, encrypted: cipher !== null };
  const segmentObjects = chooseSegmentObjects(coding, { atMost: parameters.segmentObjects, objectCount });
  const bundles: BundleEntry[] = [];
  let done = 0;
  const segments = encodeDataset({ k, n, objectSize, segmentObjects, cipher }, source.objects());
  let next = await segments.next();
  while (next.done !== true) {
    signal?.throwIfAborted();
    const { segment, bundles: pieces, objects } = next.value;
    bundles.push(...(await settled(pieces.map((bundle, shard) => keep(segment * n + shard, bundle)))));
    done += objects;
    onObjects?.(done);
    next = await segments.next();
  }
  signal?.throwIfAborted();
  return encodeManifest(manifestOf(parameters, next.value, { segmentObjects, cipher, bundles }));
}

function manifestOf(
  { source, name, licence, description, k, n, recipients }: BuildParameters,
  { objectCount, objectRoot }: EncodedDataset,
  coded: { segmentObjects: number; cipher: DatasetCipher | null; bundles: BundleEntry[] },
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
  return {
    scheme: "xchacha20poly1305",
    salt: bytesToHex(cipher.salt),
    keys: recipients.map((recipient) => {
      const { ephemeral, wrapped } = wrapKey(cipher, recipient, secret());
      return {
        recipient: bytesToHex(recipient),
        ephemeral: bytesToHex(ephemeral),
        wrapped: bytesToHex(wrapped),
      };
    }),
  };
}

function secret(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(keyBytes));
}

/** Waits for all, so that no work is still under way when the first failure is thrown. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
