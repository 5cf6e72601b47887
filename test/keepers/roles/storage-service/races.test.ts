import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { Janitor } from "../../../../keepers/src/roles/storage-node/janitor.ts";
import { Vault } from "../../../../keepers/src/roles/storage-node/vault.ts";
import { BlobNotFoundError } from "../../../../keepers/src/storage/backends/errors.ts";
import { contextOf, account as someone } from "../doubles.ts";
import { type Asked, account, data, day, now, offer, put, rootsOf, storageScenes } from "./scene.ts";

type Scene = ReturnType<ReturnType<typeof storageScenes>>;

/** A vault over the scene's shelf and store. @param before happens while a bundle is hashed */
const vaultOf = ({ shelf, store, folder }: Scene, before: () => Promise<void> = async () => {}) => {
  const commit = async (bytes: Uint8Array) => {
    await before();
    return commitBundle(bytes);
  };
  return Vault.open({ shelf, store, treeFolder: join(folder, "trees"), commit });
};

const commitTo = (service: Asked, time: bigint) =>
  service.commit({
    datasetId: data.datasetId,
    bundleIndex: 0,
    ...rootsOf(data, 0),
    validUntil: (time + day).toString(),
    latestEnd: 130,
  });

describe("the storage service: what happens while it waits", () => {
  const scenes = storageScenes();

  /** A node whose janitor asks the chain who holds a bundle that nobody placed for an hour. */
  const lapsed = async (during: (service: Asked) => Promise<void>) => {
    const scene = scenes();
    const service = await scene.service();
    await offer(service, data, 0);
    await put(service, data, 0);
    let isLapsed = false;
    const holdingOf = async () => {
      if (isLapsed) await during(service);
      return { operator: someone(0), tenure: 0, until: 0 };
    };
    const { context } = contextOf(
      account.address,
      { StorageAudit: { currentEpoch: () => 1 }, BundleRegistry: { holdingOf } },
      () => scene.time,
    );
    const janitor = new Janitor({
      ...context,
      ledger: { holdingsOf: () => [] } as never,
      shelf: scene.shelf,
      vault: await vaultOf(scene),
      service,
      asking: { leastFee: 0n, longestTerm: 1000 },
    });
    await janitor.tick();
    isLapsed = true;
    scene.time = now + 3601n;
    await janitor.tick();
    return scene;
  };

  it("keeps the bytes of a receipt that is signed while the janitor asks the chain about them", async () => {
    let signed = false;
    const scene = await lapsed(async (service) => {
      await commitTo(service, now + 3601n);
      signed = true;
    });
    assert.ok(signed);
    const kept = scene.shelf.get(data.datasetId, 0);
    assert.equal(kept?.keepUntil, now + 3601n + day);
  });

  it("drops the bytes of a bundle that nobody asks a receipt for", async () => {
    const scene = await lapsed(async () => {});
    assert.equal(scene.shelf.get(data.datasetId, 0), undefined);
  });

  it("signs nothing for a bundle that is dropped while the chain is asked", async () => {
    const scene = scenes();
    const service = await scene.service();
    await offer(service, data, 0);
    await put(service, data, 0);
    const vault = await vaultOf(scene);
    const isRefused = assert.rejects(commitTo(service, scene.time), BlobNotFoundError);
    await vault.drop(scene.shelf.get(data.datasetId, 0)!);
    await isRefused;
  });

  it("keeps the manifest of a bundle that is hashed when offers without a bundle are forgotten", async () => {
    const scene = scenes();
    const service = await scene.service();
    scene.shelf.addManifest(data.datasetId, data.manifestBytes);
    const vault = await vaultOf(scene, () => service.forgetAbandoned());
    await vault.admit(data.datasetId, data.manifest, 0, data.bundles[0]!);
    assert.ok(scene.shelf.get(data.datasetId, 0) !== undefined);
    assert.deepEqual(scene.shelf.manifest(data.datasetId), data.manifestBytes);
  });
});
