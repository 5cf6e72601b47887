import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { Vault } from "../../../../keepers/src/roles/storage-node/vault.ts";
import {
  charge,
  data,
  day,
  manifestBytes,
  now,
  offer,
  pieces,
  put,
  refused,
  requestOf,
  storageScenes,
} from "./scene.ts";

const bytes = data.bundles[1]!;
const { length } = bytes;

/** A body of which a first piece comes, and the rest when it is told to. */
function slowly(first: Uint8Array, rest: Uint8Array = new Uint8Array(0)) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  async function* body() {
    yield first;
    await promise;
    if (rest.length > 0) yield rest;
  }
  return { body: body(), finish: resolve, fail: () => reject(new Error("the connection broke")) };
}

describe("the storage service: one bundle from several peers", () => {
  const scene = storageScenes();
  const incoming = () => readdir(join(scene().folder, "incoming"));

  it("attack: whoever sends it slowly, or all but its end, keeps nobody waiting", {
    timeout: 10_000,
  }, async () => {
    const service = await scene().service();
    await offer(service, data, 1);
    const slow = Array.from({ length: 8 }, (_, i) => {
      const stranger = slowly(i === 0 ? bytes.subarray(0, length - 1) : Uint8Array.of(i));
      const total = i === 0 ? length : 2;
      const putting = service.by(`stranger ${i}`).put(requestOf(data, 1), stranger.body, total);
      return { ...stranger, isBroken: assert.rejects(putting, /connection broke/) };
    });
    while ((await incoming()).length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    const begun = performance.now();
    assert.deepEqual(await put(service.by("owner"), data, 1), { received: length });
    const waited = performance.now() - begun;
    assert.ok(waited < 1000, `the owner waited for ${waited} ms`);
    for (const { fail, isBroken } of slow) {
      fail();
      await isBroken;
    }
    assert.deepEqual(await incoming(), [], "what they had begun is of no use any more");
  });

  it("attack: what others have begun of it is forgotten once it is here", { timeout: 10_000 }, async () => {
    const service = await scene().service();
    await offer(service, data, 1);
    for (let i = 0; i < 3; i++) {
      await service.by(`stranger ${i}`).put(requestOf(data, 1), pieces(bytes.subarray(0, 5)));
    }
    assert.equal((await incoming()).length, 3);
    await put(service.by("owner"), data, 1);
    while (service.stats().arriving > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(await incoming(), []);
  });

  it("attack: takes room for each of them, which is counted also after a restart", async () => {
    const parts = { capacity: 2 * charge + manifestBytes };
    const service = await scene().service(parts);
    await offer(service, data, 1);
    const begin = (from: typeof service, peer: string) =>
      from.by(peer).put(requestOf(data, 1), pieces(bytes.subarray(0, 5)));
    await begin(service, "a");
    await begin(service, "b");
    await assert.rejects(begin(service, "c"), refused("full"));
    const restarted = await scene().service(parts);
    await assert.rejects(begin(restarted, "c"), refused("full"));
    // Each goes on with its own.
    const rest = bytes.subarray(5);
    assert.deepEqual(await restarted.by("b").put(requestOf(data, 1, 5), pieces(rest)), { received: length });
  });

  it("attack: bytes that one has sent are no other one's", async () => {
    const service = await scene().service();
    await offer(service, data, 1);
    const lie = bytes.slice(0, 700).fill(1);
    await service.by("stranger").put(requestOf(data, 1), pieces(lie));
    const { bundles } = await service.by("owner").status({ datasetId: data.datasetId, bundleIndices: [1] });
    assert.deepEqual(bundles, [{ bundleIndex: 1, state: "absent", received: 0 }]);
    await service.by("owner").put(requestOf(data, 1), pieces(bytes.subarray(0, 700)));
    const last = await service.by("owner").put(requestOf(data, 1, 700), pieces(bytes.subarray(700)));
    assert.deepEqual(last, { received: length });
  });

  it("attack: that is complete a second time takes nothing from a receipt that was signed meanwhile", async () => {
    const { shelf, store, folder } = scene();
    await offer(await scene().service(), data, 1);
    const hashed: (() => void)[] = [];
    const vault = await Vault.open({
      ...{ shelf, store, treeFolder: join(folder, "trees") },
      commit: async (each) => {
        await new Promise<void>((resolve) => hashed.push(resolve));
        return commitBundle(each);
      },
    });
    const admit = () => vault.admit(data.datasetId, data.manifest, 1, bytes);
    const [first, second] = [admit(), admit()];
    while (hashed.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    hashed[0]!();
    const { bundleId } = await first;
    shelf.keepUntil(bundleId, now + day);
    shelf.promisedSince(bundleId, now);
    hashed[1]!();
    assert.equal((await second).keepUntil, now + day);
    assert.equal(
      shelf.byId(bundleId)!.keepUntil,
      now + day,
      "the bytes stay for as long as the receipt is good",
    );
    assert.equal(shelf.promisedSince(bundleId, now + 5n), now);
  });

  it("what an earlier version was sent the beginning of is gone at the start, and ends no forgetting", async (t) => {
    const service = await scene().service();
    await offer(service, data, 1);
    await writeFile(join(scene().folder, "incoming", `${data.datasetId}-3`), Uint8Array.of(1, 2, 3, 4, 5));
    await writeFile(join(scene().folder, "incoming", `${data.datasetId}-1`), Uint8Array.of(1));
    const again = await scene().service();
    const later = performance.now.bind(performance);
    t.mock.method(performance, "now", () => later() + 2 * 3_600_000);
    await again.forgetAbandoned();
    assert.deepEqual(await incoming(), []);
    assert.deepEqual(await put(again.by("owner"), data, 1), { received: length });
  });
});
