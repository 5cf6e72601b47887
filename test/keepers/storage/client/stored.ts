import { bytesToHex, type Hex, keccak256, zeroAddress, zeroHash } from "viem";
import { manifestDigest } from "../../../../keepers/src/core/dataset/manifest.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { datasetStatus } from "../../../../keepers/src/storage/client/anchor.ts";
import type { StorageClient } from "../../../../keepers/src/storage/client/client.ts";
import { manifestTree } from "../../../../keepers/src/storage/client/roots.ts";
import type { TinyDataset } from "../../roles/dataset.ts";

export type Stored = {
  /** Bytes that the anchor names as the manifest; those of the dataset by default. */
  readonly anchored?: Uint8Array;
  /** What the holder of a bundle gives as the manifest. */
  readonly manifest: (bundleIndex: number) => Uint8Array;
  /** What it gives as the bundle. */
  readonly bundle?: (bundleIndex: number) => Uint8Array;
  /** What IPFS gives. */
  readonly ipfs?: Uint8Array;
};

/** A client in whose network a dataset is stored, each bundle by an operator of its own. What throws is a node that is down. */
export function storedClient({ datasetId, manifest, manifestBytes, bundles }: TinyDataset, stored: Stored) {
  const { k, n, objectCount, objectSize, segmentObjects, objectRoot } = manifest;
  const anchored = stored.anchored ?? manifestBytes;
  const anchor = {
    ...{ status: datasetStatus.active, owner: zeroAddress, manifestHash: keccak256(anchored), objectRoot },
    bundlesRoot: manifestTree(manifest).root,
    shape: { k, n, objectCount: BigInt(objectCount), objectSize, segmentObjects, encrypted: false },
  };
  const operators = bundles.map((_, i) => `0x${String(i + 1).padStart(40, "0")}` as Hex);
  const ids = bundles.map((_, i) => bundleId(datasetId, i));
  const holdingOf = async ([id]: [Hex]) => ({
    ...{ operator: operators[ids.indexOf(id)], since: 0, tenure: 1, coverId: zeroHash },
  });
  const event = { args: { manifestDigest: bytesToHex(manifestDigest(anchored)) } };
  const getContractEvents = async ({ eventName }: { eventName: string }) =>
    eventName === "DatasetAnchored" ? [event] : [];
  return {
    contracts: {
      DatasetRegistry: { read: { datasetOf: async () => anchor } },
      BundleRegistry: { read: { holdingOf } },
    },
    chain: { public: { getBlockNumber: async () => 1n, getContractEvents } },
    deployment: {
      startBlock: 0n,
      addresses: { DatasetRegistry: zeroAddress, RetrievalChallenges: zeroAddress },
    },
    peers: {
      connect: async (operator: Hex) => ({
        manifest: async () => stored.manifest(operators.indexOf(operator)),
        async *get({ bundleIndex }: { bundleIndex: number }) {
          yield (stored.bundle ?? ((index) => bundles[index]!))(bundleIndex);
        },
      }),
    },
    ...(stored.ipfs !== undefined && {
      ipfs: {
        async *get() {
          yield stored.ipfs;
        },
      },
    }),
  } as unknown as StorageClient;
}

/** What a node does that is down. */
export function down(): never {
  throw new Error("the node is down");
}
