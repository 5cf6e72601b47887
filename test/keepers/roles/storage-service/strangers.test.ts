import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { keccak256 } from "viem";
import type { Prover } from "../../../../keepers/src/storage/prover/prover.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { offered, withManifest } from "../dataset.ts";
import {
  account,
  broken,
  charge,
  data,
  day,
  manifestBytes,
  offer,
  other,
  pieces,
  put,
  refused,
  requestOf,
  rootsOf,
  storageScenes,
} from "./scene.ts";

describe("the storage service: bounds for strangers", () => {
  const scene = storageScenes();

  /** Datasets under as many manifests; their bundles are the same. */
  const variant = (i: number) => withManifest({ ...data.manifest, name: `variant ${i}` }, data.bundles);

  it("attack: manifests without end leave sixteen of each peer and 256 in all, of which the oldest go first", async () => {
    const service = await scene().service();
    for (let i = 0; i < 40; i++) await offer(service.by("flooder"), variant(i), 0);
    assert.equal(scene().shelf.datasets().length, 16);
    assert.equal(scene().shelf.manifest(variant(0).datasetId), undefined);
    assert.ok(scene().shelf.manifest(variant(39).datasetId) !== undefined);
    for (let i = 40; i < 400; i++) await offer(service.by(`peer ${i}`), variant(i), 0);
    assert.equal(scene().shelf.datasets().length, 256);
    // Whoever begins at once is not driven out.
    await offer(service, data, 0);
    await assert.rejects(service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 9))));
    for (let i = 400; i < 700; i++) await offer(service.by(`peer ${i}`), variant(i), 0);
    const { length } = data.bundles[0]!;
    assert.deepEqual(await service.put(requestOf(data, 0, 9), pieces(data.bundles[0]!.subarray(9))), {
      received: length,
    });
  });

  it("attack: an offer that nothing comes of is forgotten after an hour, one with a bundle is not", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await offer(service, other, 0);
    await put(service, other, 0);
    scene().time += 3600n;
    await service.forgetAbandoned();
    assert.equal(scene().shelf.datasets().length, 2);
    scene().time += 1n;
    await service.forgetAbandoned();
    assert.deepEqual(scene().shelf.datasets(), [other.datasetId]);
  });

  it("attack: bundles that are not placed leave half of the space to others", async () => {
    const capacity = 2 * (2 * charge + manifestBytes);
    const service = await scene().service({ capacity, unplacedShare: 1 / 2 });
    assert.deepEqual((await offer(service, data, 0, 3)).accepted, [0, 3]);
    await put(service, data, 0);
    await put(service, data, 3);
    const { refused: no } = await offer(service, other, 0);
    assert.match(no[0]!.detail, /not placed/);
  });

  it("attack: a bundle that another operator holds on chain is not taken, and takes no room", async () => {
    const service = await scene().service();
    scene().place(data, 0, `0x${"0c".repeat(20)}`);
    const { accepted, refused: no } = await offer(service, data, 0, 3);
    assert.deepEqual(accepted, [3]);
    assert.deepEqual(no, [
      { bundleIndex: 0, reason: "policy", detail: "another operator holds this bundle" },
    ]);
    await assert.rejects(put(service, data, 0), refused("refused", /another operator holds/));
  });

  it("bundles that this operator holds on chain take nothing of the room of others", async () => {
    const capacity = 4 * (charge + manifestBytes);
    const service = await scene().service({ capacity, unplacedShare: 1 / 2 });
    await offer(service, data, 0, 3);
    await put(service, data, 0);
    await put(service, data, 3);
    scene().place(data, 0, account.address);
    assert.deepEqual((await offer(service, other, 0)).accepted, [0]);
    assert.equal((await offer(service, other, 0, 3)).refused[0]!.reason, "no-space");
  });

  it("attack: a byte that a stranger has sent keeps nobody's bundle of the segment out, nor spoils it", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    const lie = Uint8Array.of(data.bundles[0]![0]! ^ 1);
    for (const index of [0, 1]) {
      const stranger = service.by(`stranger ${index}`);
      assert.deepEqual(await stranger.put(requestOf(data, index), pieces(lie)), { received: 1 });
    }
    assert.deepEqual((await offer(service, data, 0, 2)).accepted, [0]);
    assert.deepEqual(await put(service, data, 0), { received: data.bundles[0]!.length });
    // Of one peer a segment has one bundle here: no more of them could be placed.
    await assert.rejects(put(service, data, 1), refused("refused", /another bundle of the segment/));
  });

  it("attack: puts of nothing leave no file, and keep no room for ever", async (t) => {
    const service = await scene().service({ capacity: charge + manifestBytes });
    await offer(service, data, 0);
    const incoming = () => readdir(join(scene().folder, "incoming"));
    for (const index of [0, 1, 3, 4]) await service.by(`peer ${index}`).put(requestOf(data, index), pieces());
    assert.deepEqual(await incoming(), []);
    const now = performance.now.bind(performance);
    let later = 0;
    t.mock.method(performance, "now", () => now() + later);
    const squatter = service.by("squatter");
    await squatter.put(requestOf(data, 0), pieces(data.bundles[0]!.subarray(0, 1)));
    for (let minutes = 0; minutes < 2; minutes++) {
      later += 61_000;
      await squatter.put(requestOf(data, 0, 1), pieces());
    }
    assert.deepEqual(await put(service, data, 3), { received: data.bundles[3]!.length });
  });

  it("attack: a bundle that nobody places is signed for over three days at most", async () => {
    const service = await scene().service();
    await offer(service, data, 0, 3);
    await put(service, data, 0);
    const request = () => ({
      ...{ datasetId: data.datasetId, bundleIndex: 0, ...rootsOf(data, 0) },
      ...{ validUntil: String(scene().time + day), latestEnd: 110 },
    });
    for (let days = 0; days <= 3; days++) {
      await service.commit(request());
      scene().time += day;
    }
    await assert.rejects(service.commit(request()), refused("refused", /never placed/));
    // What is held on chain is paid for, and whoever sends the bytes again begins anew.
    scene().place(data, 0, account.address);
    await service.commit(request());
  });

  it("attack: too many manifests at its start do not keep a node from taking uploads later", async () => {
    const first = await scene().service();
    await offer(first, data, 0);
    await first.put(requestOf(data, 0), pieces(data.bundles[0]!.subarray(0, 9)));
    const service = await scene().service();
    const flood = Array.from({ length: 60 }, (_, i) => offer(service.by(`peer ${i}`), variant(i), 0));
    await Promise.allSettled([...flood, put(service, data, 0)]);
    assert.deepEqual(await put(service, data, 0), { received: data.bundles[0]!.length });
  });

  it("attack: one peer has 64 uploads parked, however many datasets it invents", async () => {
    const service = await scene().service();
    const parked = async (peer: string, i: number) => {
      const dataset = variant(i);
      if ((await offer(service.by(peer), dataset, 0)).accepted.length === 0) return false;
      await assert.rejects(
        service.by(peer).put(requestOf(dataset, 0), broken(dataset.bundles[0]!.subarray(0, 5))),
      );
      return true;
    };
    let count = 0;
    for (let i = 0; i < 80; i++) if (await parked("parker", i)) count++;
    assert.equal(count, 64);
    assert.equal((await readdir(join(scene().folder, "incoming"))).length, 64);
    assert.equal(await parked("another", 100), true);
  });

  it("attack: proofs that one peer asks for wait in small number, and end with it", async () => {
    const waiting: AbortSignal[] = [];
    const prover: Prover = {
      prove: (_, __, { signal, lane } = {}) =>
        new Promise((_, reject) => {
          assert.equal(lane, "client");
          waiting.push(signal!);
          signal!.addEventListener("abort", () => reject(signal!.reason));
        }),
      close: async () => {},
    };
    const service = await scene().service({ prover });
    await offer(service, data, 0);
    await put(service, data, 0);
    const gone = new AbortController();
    const request = { datasetId: data.datasetId, bundleIndex: 0, seed: keccak256("0x01") };
    const from = (peer: string) => service.by(peer, gone.signal).prove(request);
    const flood = Array.from({ length: 100 }, () => from("flooder"));
    const others = Array.from({ length: 100 }, (_, i) => from(`peer ${i}`));
    const settled = Promise.allSettled([...flood, ...others]);
    while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(service.stats().waiting.proofs, 14);
    assert.equal(service.stats().refused.proofs, 200 - 16);
    gone.abort(new Error("the peer went away"));
    const outcomes = await settled;
    const said = outcomes.map((outcome) =>
      outcome.status === "rejected" && outcome.reason instanceof RefusalError ? outcome.reason.code : "",
    );
    assert.equal(said.slice(0, 100).filter((code) => code === "busy").length, 92);
    assert.equal(service.stats().waiting.proofs, 0);
    assert.equal(waiting.length, 2, "nothing of it is begun any more");
  });

  it("attack: offers of one dataset without end cost a few reads of the chain", async () => {
    const service = await scene().service({ keptFor: 60_000 });
    const anchor = { ...offered, status: 1, endEpoch: 110, manifestHash: keccak256(data.manifestBytes) };
    scene().anchor = anchor;
    for (let i = 0; i < 100; i++) await offer(service.by(`peer ${i}`), data, 0);
    assert.deepEqual(scene().asked.sort(), ["currentEpoch", "datasetOf", "operatorOf", "time"]);
  });

  it("attack: another manifest than the anchor's costs none, however long ago the anchor was read", async () => {
    const service = await scene().service();
    scene().anchor = { status: 1, manifestHash: keccak256("0x01") };
    const asked = () => scene().asked.filter((what) => what === "datasetOf").length;
    for (let i = 0; i < 100; i++) {
      await assert.rejects(offer(service, data, 0), refused("bad-request", /not this dataset's/));
    }
    assert.equal(asked(), 1);
    scene().anchor = { status: 0 };
    for (let i = 0; i < 3; i++) await offer(service, other, 0);
    assert.equal(asked(), 4, "what stands on no chain may be anchored at any moment");
  });
});
