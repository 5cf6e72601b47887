import { bytesToHex, type Hex, zeroAddress, zeroHash } from "viem";
import { encodeDataset } from "../../../keepers/src/core/dataset/encode.ts";
import {
  encodeManifest,
  type Manifest,
  manifestCid,
  manifestDigest,
} from "../../../keepers/src/core/dataset/manifest.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { blobCid } from "../../../keepers/src/storage/backends/blob-cid.ts";
import { manifestHashes, offeredId } from "../../../keepers/src/storage/client/terms.ts";
import { deploymentAt } from "../chain/fixtures.ts";
import { generator } from "../storage/random.ts";

export const deployment = deploymentAt(`0x${"5a".repeat(20)}`);
export const owner = `0x${"0a".repeat(20)}` as const;

/** What the tiny datasets are offered under. */
export const offered = {
  feePerAudit: 10n ** 15n,
  epochs: 30,
  previous: zeroHash,
  parameters: {
    bondPerBundle: 20n,
    bundleStake: 100n,
    missPenalty: 80n,
    surrenderPenalty: 50n,
    policy: zeroAddress as Hex,
  },
};

export type TinyDataset = {
  datasetId: Hex;
  manifest: Manifest;
  manifestBytes: Uint8Array;
  manifestCid: string;
  /** All bundles, segment after segment. */
  bundles: Uint8Array[];
};

/** Two segments of random objects at (2, 3): six bundles of a few cells. */
export async function tinyDataset(seed: number, objects = 4): Promise<TinyDataset> {
  const random = generator(seed);
  const data = Array.from({ length: objects }, () => random.bytes(3000));
  return datasetOf(data, `tiny-${seed}`);
}

/** A dataset of these objects, two of them in each segment. */
export async function datasetOf(objects: readonly Uint8Array[], name: string): Promise<TinyDataset> {
  const shape = { k: 2, n: 3, objectSize: objects[0]!.length, segmentObjects: 2 };
  const segments = encodeDataset({ ...shape, cipher: null }, objects);
  const bundles: Uint8Array[] = [];
  let next = await segments.next();
  for (; next.done !== true; next = await segments.next()) bundles.push(...next.value.bundles);
  const manifest: Manifest = {
    version: 1,
    name,
    ...shape,
    objectCount: objects.length,
    objectRoot: bytesToHex(next.value.objectRoot),
    bundles: bundles.map((bundle) => {
      const { poseidonRoot, transportRoot } = commitBundle(bundle);
      return {
        poseidonRoot: bytesToHex(poseidonRoot),
        transportRoot: bytesToHex(transportRoot),
        cid: blobCid(bundle).toString(),
      };
    }),
    format: { kind: "records", fields: [bytesField(shape.objectSize)], origin: null },
    encryption: null,
    licence: "",
    description: "",
  };
  return withManifest(manifest, bundles);
}

/** The same bundles under another manifest. */
export function withManifest(manifest: Manifest, bundles: Uint8Array[]): TinyDataset {
  const manifestBytes = encodeManifest(manifest);
  return {
    datasetId: offeredId(deployment, owner, manifest, manifestHashes(manifest, manifestBytes), offered),
    manifest,
    manifestBytes,
    manifestCid: manifestCid(manifestDigest(manifestBytes)),
    bundles,
  };
}

function bytesField(size: number) {
  return { name: "bytes", role: "input" as const, dtype: "u8" as const, shape: [size], offset: 0 };
}
