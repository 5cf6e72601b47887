import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { bytesToHex, type Hex, keccak256, zeroAddress, zeroHash } from "viem";
import { encodeManifest, manifestDigest } from "../../../../keepers/src/core/dataset/manifest.ts";
import type { StorageClient } from "../../../../keepers/src/storage/client/client.ts";
import { type AnchoredDataset, readAnchor } from "../../../../keepers/src/storage/client/dataset.ts";
import {
  MalformedManifestError,
  ManifestMismatchError,
  ManifestUnavailableError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { fetchManifest } from "../../../../keepers/src/storage/client/fetch-manifest.ts";
import { manifestTree } from "../../../../keepers/src/storage/client/roots.ts";
import { type TinyDataset, tinyDataset } from "../../roles/dataset.ts";

const operators = [1, 2, 3].map((index) => `0x${String(index).repeat(40)}` as Hex);

/** What each operator, and IPFS, gives when it is asked for the manifest; undefined: it fails. */
type Served = { readonly nodes: readonly (Uint8Array | undefined)[]; readonly ipfs?: Uint8Array };

/** Fetches the manifest of a dataset whose anchor names these bytes. */
async function fetching({ datasetId, manifest }: TinyDataset, anchored: Uint8Array, served: Served) {
  const { k, n, objectCount, objectSize, segmentObjects, objectRoot } = manifest;
  const anchor = {
    ...{ status: 1, owner: zeroAddress, manifestHash: keccak256(anchored), objectRoot },
    bundlesRoot: manifestTree(manifest).root,
    shape: { k, n, objectCount: BigInt(objectCount), objectSize, segmentObjects, encrypted: false },
  };
  let turn = 0;
  const holding = { since: 0, tenure: 1, coverId: zeroHash };
  const holdingOf = async () => ({ ...holding, operator: operators[turn++ % operators.length] });
  const digest = bytesToHex(manifestDigest(anchored));
  const client = {
    contracts: {
      DatasetRegistry: { read: { datasetOf: async () => anchor } },
      BundleRegistry: { read: { holdingOf } },
    },
    chain: {
      public: {
        getBlockNumber: async () => 1n,
        getContractEvents: async () => [{ args: { manifestDigest: digest } }],
      },
    },
    deployment: { startBlock: 0n, addresses: { DatasetRegistry: operators[0] } },
    peers: {
      connect: async (operator: Hex) => ({
        manifest: async () => served.nodes[operators.indexOf(operator)] ?? assert.fail("the node is down"),
      }),
    },
    ...(served.ipfs !== undefined && {
      ipfs: {
        async *get() {
          yield served.ipfs;
        },
      },
    }),
  } as unknown as StorageClient;
  const dataset: AnchoredDataset = await readAnchor(client, datasetId);
  return await fetchManifest(client, dataset);
}

describe("the manifest of a dataset", () => {
  let tiny: TinyDataset;
  let other: TinyDataset;

  before(async () => {
    [tiny, other] = [await tinyDataset(1), await tinyDataset(2)];
  });

  it("attack: a node, or a store, that gives another one is passed over, and blames nobody", async () => {
    const { manifestBytes: right } = tiny;
    const wrong = other.manifestBytes;
    for (const served of [{ nodes: [wrong, undefined, right] }, { nodes: [wrong], ipfs: right }])
      assert.deepEqual((await fetching(tiny, right, served)).manifest, tiny.manifest);
    const lies = { nodes: [wrong, new Uint8Array([1]), undefined], ipfs: wrong };
    await assert.rejects(fetching(tiny, right, lies), ManifestUnavailableError);
  });

  it("attack: contradicts the anchor that names it: that is its owner's doing, whoever gives it", async () => {
    const root = other.manifest.objectRoot;
    const anchored = encodeManifest({ ...tiny.manifest, objectRoot: root });
    for (const served of [
      { nodes: [undefined, undefined, anchored] },
      { nodes: [], ipfs: anchored },
      { nodes: [other.manifestBytes, anchored] },
    ])
      await assert.rejects(fetching(tiny, anchored, served), (error) => {
        assert.ok(error instanceof ManifestMismatchError);
        assert.match(error.message, /contradicts its anchor at objectRoot/);
        return true;
      });
  });

  it("attack: is none, although its hash is anchored", async () => {
    const anchored = new TextEncoder().encode("{}");
    await assert.rejects(fetching(tiny, anchored, { nodes: [anchored] }), (error) => {
      assert.ok(error instanceof MalformedManifestError);
      assert.match(error.message, /not valid at/);
      return true;
    });
  });
});
