import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { Janitor } from "../../../../keepers/src/roles/storage-node/janitor.ts";
import { Vault } from "../../../../keepers/src/roles/storage-node/vault.ts";
import { contextOf, account as someone } from "../doubles.ts";
import {
  type Asked,
  account,
  charge,
  data,
  day,
  manifestBytes,
  now,
  offer,
  other,
  put,
  refused,
  rootsOf,
  storageScenes,
} from "./scene.ts";

const { length } = data.bundles[0]!;

describe("the storage service: bundles of one segment", () => {
  const scene = storageScenes();

  const commit = (service: Asked, bundleIndex: number, time = now) =>
    service.commit({
      ...{ datasetId: data.datasetId, bundleIndex, ...rootsOf(data, bundleIndex) },
      ...{ validUntil: (time + day).toString(), latestEnd: 110 },
    });

  it("attack: one that a stranger brings whole, and has signed for, keeps nobody's other one out", async () => {
    const service = await scene().service();
    const thief = service.by("thief");
    await offer(thief, data, 0);
    await put(thief, data, 0);
    await commit(thief, 0);
    const owner = service.by("owner");
    assert.deepEqual((await offer(owner, data, 1)).accepted, [1]);
    assert.deepEqual(await put(owner, data, 1), { received: length });
    const { operator } = await commit(owner, 1);
    assert.equal(operator, account.address.toLowerCase());
  });

  it("lie side by side within the room of what is not placed, and no further", async () => {
    const service = await scene().service({
      capacity: 2 * (2 * charge + manifestBytes),
      unplacedShare: 1 / 2,
    });
    for (const index of [0, 1]) {
      await offer(service.by(`peer ${index}`), data, index);
      await put(service.by(`peer ${index}`), data, index);
    }
    const late = service.by("peer 2");
    assert.match((await offer(late, data, 2)).refused[0]!.detail, /not placed/);
    await assert.rejects(put(late, data, 2), refused("full", /not placed/));
    assert.equal(scene().shelf.bytes, 2 * length);
  });

  it("attack: strangers fill half of the room of what is not placed, also over a restart", async () => {
    const parts = {
      capacity: 8 * (2 * charge + manifestBytes),
      unplacedShare: 1 / 2,
      isRegistered: (peer: string) => peer === "registered",
    };
    const service = await scene().service(parts);
    for (const dataset of [data, other]) {
      for (const index of [1, 2]) {
        const stranger = service.by(`stranger ${index} of ${dataset.datasetId}`);
        await offer(stranger, dataset, index);
        await put(stranger, dataset, index);
      }
    }
    assert.match((await offer(service.by("stranger 2"), other, 0)).refused[0]!.detail, /not placed/);
    const restarted = await scene().service(parts);
    assert.match((await offer(restarted.by("stranger 3"), other, 0)).refused[0]!.detail, /not placed/);
    const registered = restarted.by("registered");
    assert.deepEqual((await offer(registered, other, 0, 3)).accepted, [0]);
    await put(registered, other, 0);
    // What this operator holds on chain counts for nobody.
    scene().place(data, 1, account.address);
    const later = await scene().service(parts);
    await offer(later.by("stranger 4"), data, 3);
    assert.deepEqual(await put(later.by("stranger 4"), data, 3), { received: length });
  });

  it("are refused, and not signed for, while this operator holds another one on chain", async () => {
    const service = await scene().service();
    for (const index of [0, 1]) {
      await offer(service.by(`peer ${index}`), data, index);
      await put(service.by(`peer ${index}`), data, index);
      await commit(service, index);
    }
    scene().place(data, 0, account.address);
    const { accepted, refused: no } = await offer(service, data, 0, 1, 2, 3);
    assert.deepEqual(accepted, [0, 3]);
    assert.deepEqual(
      no.map(({ bundleIndex, reason, detail }) => [bundleIndex, reason, detail]),
      [1, 2].map((index) => [index, "policy", "this operator holds another bundle of the segment"]),
    );
    await assert.rejects(put(service, data, 2), refused("refused", /holds another bundle/));
    await assert.rejects(commit(service, 1), refused("refused", /holds another bundle/));
    await commit(service, 0);
  });

  it("that is placed while another one arrives keeps that one out", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    async function* body() {
      yield data.bundles[0]!.subarray(0, 10);
      scene().place(data, 1, account.address);
      yield data.bundles[0]!.subarray(10);
    }
    const request = { datasetId: data.datasetId, bundleIndex: 0, offset: 0, total: length };
    await assert.rejects(service.put(request, body(), length), refused("refused", /holds another bundle/));
    assert.deepEqual(scene().shelf.all(), []);
  });

  it("go once their receipts have lapsed, while the one that was placed stays", async () => {
    const { shelf, store, folder } = scene();
    const service = await scene().service();
    for (const index of [0, 1, 2]) {
      await offer(service.by(`peer ${index}`), data, index);
      await put(service.by(`peer ${index}`), data, index);
    }
    // Two receipts for one segment: the registry takes one of them.
    for (const index of [0, 1]) await commit(service, index);
    const id = shelf.get(data.datasetId, 0)!.bundleId;
    const holdingOf = ([asked]: [string]) => ({
      ...{ operator: asked === id ? account.address : someone(0), tenure: 1, until: 130 },
    });
    const { context } = contextOf(
      account.address,
      {
        StorageAudit: { currentEpoch: () => 1 },
        BundleRegistry: { holdingOf },
        DatasetRegistry: {
          isOver: () => false,
          settledAt: () => now + 1000n * day,
          termsOf: () => [1, 130, 0n],
        },
      },
      () => scene().time,
    );
    const held = { bundleId: id, datasetId: data.datasetId };
    const janitor = new Janitor({
      ...context,
      ledger: { holdingsOf: () => [held], coverBundles: () => undefined } as never,
      shelf,
      vault: await Vault.open({
        ...{ shelf, store, treeFolder: join(folder, "trees") },
        commit: async (bytes) => commitBundle(bytes),
      }),
      service,
      asking: { leastFee: 0n, longestTerm: 1000 },
    });
    const here = async (time: bigint) => {
      scene().time = time;
      await janitor.tick();
      return shelf.indices(data.datasetId).sort();
    };
    assert.deepEqual(await here(now), [0, 1, 2]);
    assert.deepEqual(await here(now + 3601n), [0, 1], "nothing was signed for the third");
    assert.deepEqual(await here(now + day), [0, 1], "its receipt may still be placed in this second");
    assert.deepEqual(await here(now + day + 1n), [0]);
    assert.deepEqual(await here(now + 100n * day), [0]);
  });
});
