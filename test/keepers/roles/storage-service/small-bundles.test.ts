import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { senderOf } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { word } from "../doubles.ts";
import {
  account,
  broken,
  charge,
  data,
  day,
  now,
  offer,
  other,
  put,
  refused,
  requestOf,
  rootsOf,
  storageScenes,
} from "./scene.ts";

const parts = { unplacedShare: 1 / 2, isRegistered: (peer: string) => peer === "registered" };

describe("the storage service: bundles of two bytes without end", () => {
  const scene = storageScenes();

  /** Bundles of as many datasets that are on no chain, each of two bytes, as a peer has sent them. */
  const shelve = (count: number, peerOf: (i: number) => string, manifestLength = 1): Hex[] =>
    Array.from({ length: count }, (_, i) => {
      const { shelf } = scene();
      const datasetId = word(0xda7a_0000 + i);
      shelf.addManifest(datasetId, new Uint8Array(manifestLength));
      const roots = { poseidonRoot: word(1), transportRoot: word(2) };
      const facts = { datasetId, bundleIndex: 0, cid: `cid ${i}`, length: 2, cells: 1, ...roots };
      return shelf.add(facts, { sender: senderOf(peerOf(i)), isStranger: true }).bundleId;
    });
  const commit = (dataset = data, bundleIndex = 0) => ({
    ...{ datasetId: dataset.datasetId, bundleIndex, ...rootsOf(dataset, bundleIndex) },
    ...{ validUntil: (now + day).toString(), latestEnd: 110 },
  });

  it("attack: peers without end leave 4,096 of them, however much room there is, and none in the way of a registered peer", async () => {
    const service = await scene().service({ ...parts, capacity: 2 ** 40 });
    shelve(4095, (i) => `stranger ${i}`);
    const last = service.by("the last");
    assert.deepEqual((await offer(last, data, 0, 3)).accepted, [0]);
    // One that is arriving counts as one that is here.
    await assert.rejects(last.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 1))));
    const late = service.by("too late");
    assert.match((await offer(late, other, 0)).refused[0]!.detail, /as many bundles that are not placed/);
    await put(last, data, 0);
    assert.equal((await offer(late, other, 0)).refused[0]!.reason, "no-space");
    await assert.rejects(put(late, data, 1), refused("full", /as many bundles that are not placed/));
    // Also after a restart.
    const restarted = await scene().service({ ...parts, capacity: 2 ** 40 });
    await assert.rejects(put(restarted.by("too late"), data, 1), refused("full"));
    assert.equal(scene().shelf.all().length, 4096);
    const registered = restarted.by("registered");
    assert.deepEqual((await offer(registered, other, 0, 3)).accepted, [0, 3]);
    await put(registered, other, 0);
    // What this operator comes to hold on chain makes room for another one.
    scene().place(data, 0, account.address);
    assert.deepEqual((await offer(restarted.by("too late"), other, 1)).accepted, [1]);
  });

  it("attack: one stranger leaves 512 of them, so many that the largest dataset has a bundle for each segment", async () => {
    const service = await scene().service({ ...parts, capacity: 2 ** 40 });
    shelve(511, () => "stranger");
    assert.deepEqual((await offer(service.by("stranger"), data, 0, 3)).accepted, [0]);
    await put(service.by("stranger"), data, 0);
    await assert.rejects(put(service.by("stranger"), data, 3), refused("full"));
    assert.deepEqual((await offer(service.by("another"), data, 3)).accepted, [3]);
  });

  it("attack: each counts as 64 KiB, and the first of a dataset as its manifest besides", async () => {
    const manifest = 254_000;
    const fit = 8;
    const service = await scene().service({ ...parts, capacity: 4 * fit * (charge + manifest) });
    const ids = shelve(fit, (i) => `stranger ${i}`, manifest);
    const stranger = service.by("another");
    assert.match((await offer(stranger, data, 0)).refused[0]!.detail, /take all the room/);
    scene().shelf.remove(ids[0]!);
    assert.deepEqual((await offer(stranger, data, 0)).accepted, [0]);
  });

  it("attack: 2,048 of them are signed for before there is an anchor, and then those alone that have one or a registered sender", async () => {
    const service = await scene().service({ ...parts, capacity: 2 ** 40 });
    for (const id of shelve(2047, (i) => `stranger ${i}`)) scene().shelf.promisedSince(id, now);
    for (const dataset of [data, other]) {
      await offer(service.by("stranger"), dataset, 0, 3);
      for (const index of [0, 3]) await put(service.by("stranger"), dataset, index);
    }
    await service.commit(commit(data, 0));
    await service.commit(commit(data, 0));
    await assert.rejects(service.commit(commit(data, 3)), refused("full", /before they are anchored/));
    const restarted = await scene().service({ ...parts, capacity: 2 ** 40 });
    await assert.rejects(restarted.commit(commit(other, 3)), refused("full", /before they are anchored/));
    assert.equal(scene().shelf.get(other.datasetId, 3)!.keepUntil, 0n, "nothing is promised");
    scene().anchored(other);
    await service.commit(commit(other, 3));
    await offer(service.by("registered"), data, 1);
    await put(service.by("registered"), data, 1);
    await service.commit(commit(data, 1));
  });

  it("a dataset of many segments is taken whole from a stranger, and signed for before its anchor", async () => {
    const service = await scene().service({ ...parts, capacity: 2 ** 40 });
    const stranger = service.by("stranger");
    for (const id of shelve(449, () => "stranger")) scene().shelf.promisedSince(id, now);
    assert.deepEqual((await offer(stranger, data, 0, 3)).accepted, [0, 3]);
    for (const index of [0, 3]) {
      await put(stranger, data, index);
      await service.commit(commit(data, index));
    }
  });
});
