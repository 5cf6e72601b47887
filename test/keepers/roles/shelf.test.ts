import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { tinyDataset } from "./dataset.ts";

const data = await tinyDataset(1);

describe("the shelf", () => {
  it("goes on with a state in which manifests had no CID of their own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-shelf-"));
    const path = join(folder, "state.sqlite");
    try {
      const earlier = openState({
        path,
        schemas: [{ ...shelfSchema, migrations: shelfSchema.migrations.slice(0, 2) }],
      });
      earlier.run(
        "INSERT INTO manifests (dataset_id, bytes, peer, offered_at) VALUES (?, ?, 'somebody', 7)",
        data.datasetId,
        data.manifestBytes,
      );
      earlier.close();
      const state = openState({ path, schemas: [shelfSchema] });
      const shelf = new Shelf(state);
      assert.deepEqual(shelf.manifest(data.datasetId), data.manifestBytes);
      assert.equal(shelf.manifestCid(data.datasetId), data.manifestCid);
      assert.deepEqual(shelf.manifestBy(data.manifestCid), data.manifestBytes);
      assert.deepEqual(shelf.offers(), [{ datasetId: data.datasetId, peer: "somebody", at: 7n }]);
      shelf.removeManifest(data.datasetId);
      assert.equal(shelf.manifestBy(data.manifestCid), undefined);
      assert.equal(shelf.manifest(data.datasetId), undefined);
      state.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("counts its bytes again whenever a bundle has come or gone", () => {
    const shelf = new Shelf(openState({ path: ":memory:", schemas: [shelfSchema] }));
    shelf.addManifest(data.datasetId, data.manifestBytes);
    const roots = { poseidonRoot: data.datasetId, transportRoot: data.datasetId };
    const add = (bundleIndex: number) =>
      shelf.add({ datasetId: data.datasetId, bundleIndex, cid: "bafy", length: 10, cells: 1, ...roots });
    assert.equal(shelf.bytes, 0);
    const first = add(0);
    add(3);
    assert.equal(shelf.bytes, 20);
    assert.deepEqual(shelf.indices(data.datasetId), [0, 3]);
    assert.equal(shelf.hasBytes("bafy"), true);
    shelf.remove(first.bundleId);
    assert.equal(shelf.bytes, 10);
    shelf.remove(first.bundleId);
    assert.equal(shelf.bytes, 10, "what is gone takes nothing away");
  });
});
