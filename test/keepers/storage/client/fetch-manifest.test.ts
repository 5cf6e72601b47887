import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { encodeManifest } from "../../../../keepers/src/core/dataset/manifest.ts";
import { readAnchor } from "../../../../keepers/src/storage/client/dataset.ts";
import {
  MalformedManifestError,
  ManifestMismatchError,
  ManifestUnavailableError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { fetchManifest } from "../../../../keepers/src/storage/client/fetch-manifest.ts";
import { type TinyDataset, tinyDataset } from "../../roles/dataset.ts";
import { down, storedClient } from "./stored.ts";

/** What the first holders, and IPFS, give when they are asked for the manifest; whoever gives undefined is down. */
type Given = { readonly nodes: readonly (Uint8Array | undefined)[]; readonly ipfs?: Uint8Array };

/** Fetches the manifest of a dataset whose anchor names these bytes. */
async function fetching(dataset: TinyDataset, anchored: Uint8Array, { nodes, ipfs }: Given) {
  const client = storedClient(dataset, { anchored, manifest: (index) => nodes[index] ?? down(), ipfs });
  return await fetchManifest(client, await readAnchor(client, dataset.datasetId));
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
