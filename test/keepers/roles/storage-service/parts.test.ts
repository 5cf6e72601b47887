/** What strangers, operators and anchored datasets leave to each other of the room for bundles that are not placed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { Shelf, shelfSchema } from "../../../../keepers/src/roles/storage-node/shelf.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { senderOf } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { word } from "../doubles.ts";
import { charge, data, day, now, offer, other, put, refused, rootsOf, storageScenes } from "./scene.ts";

const isRegistered = (peer: string) => peer.startsWith("operator");
const parts = { unplacedShare: 1 / 2, isRegistered, capacity: 2 ** 40 };

describe("the room for bundles that are not placed", () => {
  const scene = storageScenes();
  let made = 0;

  /** Bundles of two bytes that a peer has sent, each of another dataset. */
  const shelve = (count: number, peer: string): Hex[] =>
    Array.from({ length: count }, () => {
      const { shelf } = scene();
      const datasetId = word(0xda7a_0000 + made++);
      shelf.addManifest(datasetId, new Uint8Array(1));
      const roots = { poseidonRoot: word(1), transportRoot: word(2) };
      const facts = { datasetId, bundleIndex: 0, cid: `cid ${made}`, length: 2, cells: 1, ...roots };
      return shelf.add(facts, { sender: senderOf(peer), isStranger: !isRegistered(peer) }).bundleId;
    });
  const commit = (dataset = data, bundleIndex = 0) => ({
    ...{ datasetId: dataset.datasetId, bundleIndex, ...rootsOf(dataset, bundleIndex) },
    ...{ validUntil: (now + day).toString(), latestEnd: 110 },
  });

  it("attack: operators take half of the places, and one of them leaves the others what is ensured to each", async () => {
    const service = await scene().service(parts);
    const accepted = async (peer: string, dataset = data) =>
      (await offer(service.by(peer), dataset, 0)).accepted.length === 1;
    shelve(511, "operator 0");
    assert.ok(await accepted("operator 0"));
    shelve(1, "operator 0");
    assert.ok(!(await accepted("operator 0")), "512 of one");
    shelve(512, "operator 1");
    for (let peer = 2; peer < 97; peer++) {
      shelve(31, `operator ${peer}`);
      assert.ok(await accepted(`operator ${peer}`));
      shelve(1, `operator ${peer}`);
      assert.ok(!(await accepted(`operator ${peer}`)), "32 of each once 1,024 are taken");
    }
    shelve(31, "operator 97");
    assert.ok(await accepted("operator 98"));
    shelve(1, "operator 97");
    assert.ok(!(await accepted("operator 98")), "4,096 in all");
    assert.ok(await accepted("stranger"));
  });

  it("attack: two operators and strangers without end leave 32 places to each of 32 other operators", async () => {
    const service = await scene().service(parts);
    for (let peer = 0; peer < 8; peer++) shelve(512, `stranger ${peer}`);
    for (let peer = 0; peer < 2; peer++) shelve(512, `operator ${peer}`);
    for (let peer = 2; peer < 34; peer++) {
      shelve(31, `operator ${peer}`);
      assert.deepEqual((await offer(service.by(`operator ${peer}`), data, 0)).accepted, [0]);
      shelve(1, `operator ${peer}`);
      assert.deepEqual((await offer(service.by(`operator ${peer}`), data, 0)).accepted, []);
    }
    assert.deepEqual((await offer(service.by("operator 34"), data, 0)).accepted, []);
  });

  it("attack: operators and strangers together leave a quarter of the places to bundles of anchored datasets, whoever sends them", async () => {
    const service = await scene().service(parts);
    for (let peer = 0; peer < 8; peer++) shelve(512, `operator ${peer}`);
    for (let peer = 0; peer < 4; peer++) shelve(512, `stranger ${peer}`);
    for (const peer of ["client", "operator"]) {
      await assert.rejects(put(service.by(peer), data, 0), refused("refused", /was not offered/));
      assert.match((await offer(service.by(peer), data, 0)).refused[0]!.detail, /as many bundles/, peer);
    }
    scene().anchored(data);
    assert.deepEqual((await offer(service.by("client"), data, 0)).accepted, [0]);
    await put(service.by("client"), data, 0);
    assert.deepEqual((await offer(service.by("operator"), data, 3)).accepted, [3]);
    await put(service.by("operator"), data, 3);
    assert.equal(scene().shelf.unplaced.count.anchored, 2);
    assert.equal((await offer(service.by("client"), other, 0)).accepted.length, 0);
  });

  it("attack: one anchored dataset has 512 of them, and then those of whoever sends it", async () => {
    const service = await scene().service(parts);
    scene().anchored(data);
    await offer(service.by("client"), data, 0);
    await put(service.by("client"), data, 0);
    const { shelf } = scene();
    const roots = { poseidonRoot: word(1), transportRoot: word(2) };
    for (let index = 100; index < 611; index++) {
      const facts = {
        datasetId: data.datasetId,
        bundleIndex: index,
        cid: `of ${index}`,
        length: 2,
        cells: 1,
      };
      shelf.add({ ...facts, ...roots }, { sender: `${index}`, isStranger: true, isAnchored: true });
    }
    await put(service.by("another client"), data, 1);
    const { anchored, strangers } = shelf.unplaced.count;
    assert.deepEqual([anchored, strangers], [512, 1]);
  });

  it("attack: anchored datasets without end have half of the places, and leave strangers and operators theirs", async () => {
    const service = await scene().service(parts);
    for (let peer = 0; peer < 8; peer++) shelve(512, `operator ${peer}`);
    const { shelf } = scene();
    const roots = { poseidonRoot: word(1), transportRoot: word(2) };
    for (let index = 0; index < 2048; index++) {
      const datasetId = word(0xa0_0000 + (index >> 9));
      if (index % 512 === 0) shelf.addManifest(datasetId, new Uint8Array(1));
      const facts = { datasetId, bundleIndex: index, cid: `anchored ${index}`, length: 2, cells: 1 };
      shelf.add({ ...facts, ...roots }, { sender: `${index}`, isStranger: true, isAnchored: true });
    }
    scene().anchored(data);
    assert.match((await offer(service.by("operator"), data, 0)).refused[0]!.detail, /as many bundles/);
    assert.deepEqual((await offer(service.by("client"), data, 0)).accepted, [0]);
    await put(service.by("client"), data, 0);
    const { anchored, strangers } = shelf.unplaced.count;
    assert.deepEqual([anchored, strangers], [2048, 1]);
  });

  it("attack: operators have half of the bytes, one of them an eighth of all, and strangers and anchored datasets theirs", async () => {
    const room = 32 * charge;
    const service = await scene().service({ ...parts, capacity: 2 * room });
    const refusal = async (peer: string, dataset = data) =>
      (await offer(service.by(peer), dataset, 0)).refused[0]?.detail ?? "none";
    shelve(4, "operator 0");
    assert.match(await refusal("operator 0"), /take all the room/);
    assert.match(await refusal("operator 1"), /take all the room/, "a bundle is more than is ensured to it");
    assert.equal(await refusal("stranger"), "none");
    shelve(15, "stranger");
    assert.match(await refusal("stranger"), /take all the room/);
    scene().anchored(data);
    assert.equal(await refusal("stranger"), "none");
    assert.equal(await refusal("operator 0"), "none");
  });

  it("attack: an operator has 256 of them signed for before there is an anchor, and another one what is ensured to it", async () => {
    const service = await scene().service(parts);
    const promise = (count: number, peer: string) => {
      for (const id of shelve(count, peer)) scene().shelf.promisedSince(id, now);
    };
    promise(256, "operator 0");
    const [greedy, honest] = [service.by("operator 0"), service.by("operator")];
    await offer(greedy, data, 0);
    await put(greedy, data, 0);
    await assert.rejects(service.commit(commit(data, 0)), refused("full", /before they are anchored/));
    for (let peer = 1; peer < 4; peer++) promise(256, `operator ${peer}`);
    await offer(honest, data, 3);
    await put(honest, data, 3);
    await service.commit(commit(data, 3));
    scene().anchored(data);
    await service.commit(commit(data, 0));
  });

  it("is counted in the same parts after a restart", () => {
    const state = openState({ path: ":memory:", schemas: [shelfSchema] });
    const shelf = new Shelf(state);
    const roots = { poseidonRoot: word(1), transportRoot: word(2) };
    const from = [
      { sender: "a", isStranger: true },
      { sender: "b", isStranger: false },
      { sender: "a", isStranger: true, isAnchored: true },
      { sender: "a", isStranger: false, isAnchored: true },
    ];
    for (const [index, each] of from.entries()) {
      const datasetId = word(index);
      shelf.addManifest(datasetId, new Uint8Array(10));
      shelf.add({ datasetId, bundleIndex: 0, cid: `${index}`, length: 2, cells: 1, ...roots }, each);
    }
    const read = ({ unplaced }: Shelf) => [
      ...[unplaced.count, unplaced.charge].map(({ strangers, registered, anchored }) => [
        ...[strangers, registered, anchored],
      ]),
      unplaced.of("a").count,
    ];
    const bytes = charge + 10;
    assert.deepEqual(read(new Shelf(state)), [[1, 1, 2], [bytes, bytes, 2 * bytes], 3]);
    state.close();
  });
});
