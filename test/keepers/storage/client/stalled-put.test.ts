import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { readAnchor } from "../../../../keepers/src/storage/client/dataset.ts";
import { TooFewHoldersError } from "../../../../keepers/src/storage/client/errors.ts";
import { fetchManifest } from "../../../../keepers/src/storage/client/fetch-manifest.ts";
import { type PutParameters, put } from "../../../../keepers/src/storage/client/put.ts";
import { readBack } from "../../../../keepers/src/storage/client/read-back.ts";
import type { Caller } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { startTestNetwork, type TestNetwork, type TestNode } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

const k = 3;
const n = 5;
const nodes = 8;

/** Gives no answer for as long as somebody waits for it. */
async function silence({ signal }: Caller): Promise<never> {
  await delay(600_000, undefined, { signal });
  throw new Error("nobody waits that long");
}

/** Takes what is offered, and then a piece now and then, or none, or does not sign for it. */
const stalling: ((node: TestNode) => void)[] = [
  (node) => node.misbehave({ put: (_, __, ___, caller) => silence(caller) }),
  (node) =>
    node.misbehave({
      put: async (_, body, __, caller) => {
        for await (const _piece of body) await silence(caller);
        return silence(caller);
      },
    }),
  (node) => node.misbehave({ commit: (_, caller) => silence(caller) }),
];

describe("a put to operators of which some stall", { timeout: 120_000 }, () => {
  let network: TestNetwork;
  let client: StorageWriter;

  before(async () => {
    network = await startTestNetwork(nodes);
    client = await network.writer();
  });
  after(() => network?.close());
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  const parameters = (seed: number, changes: Partial<PutParameters> = {}): PutParameters => ({
    source: sourceOf(objectsOf(seed, 40, 700)),
    identity: `test ${seed}`,
    directory: join(network.folder, "uploads"),
    commit: async (bytes: Uint8Array) => commitBundle(bytes),
    k,
    n,
    segmentObjects: 25,
    feePerAudit: 10n ** 15n,
    epochs: 10,
    ...changes,
  });

  it("attack: is done although operators take offers and stall each upload, when enough others serve", {
    timeout: 60_000,
  }, async () => {
    for (const [i, stall] of stalling.entries()) stall(network.nodes[i]!);
    const bad = new Set<string>(network.nodes.slice(0, stalling.length).map(({ operator }) => operator));
    const { complete, placed, failures } = await put(client, parameters(1, { limits: { patience: 1 } }));
    assert.equal(complete, true);
    assert.ok(placed.every(({ operator }) => !bad.has(operator)));
    assert.ok(failures.length > 0);
    for (const { operator, reason } of failures) {
      assert.ok(bad.has(operator), `${operator}: ${reason}`);
      assert.match(reason, /^it stalled: no receipt came in 1\.\d s$/);
    }
  });

  it("attack: ends in its time when too few serve, says who stalled for how long, and goes on later", {
    timeout: 60_000,
  }, async () => {
    const before = await network.balance();
    const good = network.nodes.slice(0, k - 1);
    const bad = network.nodes.slice(k - 1);
    for (const [i, node] of bad.entries()) stalling[i % stalling.length]!(node);
    const sent: number[] = [];
    for (const node of good) {
      node.misbehave({
        put: (...given) => {
          sent.push(given[0].bundleIndex);
          return node.service.put(...given);
        },
      });
    }
    // Who waits for one operator as long as it likes has no time left for others.
    const limits = { patience: 600, seconds: 0 };
    const given = parameters(2, { parallel: 12 });
    const begun = performance.now();
    await assert.rejects(put(client, { ...given, limits }), (error) => {
      assert.ok(error instanceof TooFewHoldersError);
      assert.match(
        error.message,
        /^only [012] of the 3 bundles that segment [01] needs found an operator in \d+ s/,
      );
      assert.match(error.message, /0x[0-9a-fA-F]{40}: it stalled: no receipt came in \d+\.\d s/);
      assert.ok(error.failures.every(({ operator }) => bad.some((node) => node.operator === operator)));
      assert.match(error.kept!, /receipt/);
      return true;
    });
    assert.ok(performance.now() - begun < 20_000);
    assert.equal(await network.balance(), before, "nothing is paid");
    assert.ok(sent.length > 0);
    for (const node of bad) node.misbehave({});
    const brought = sent.splice(0);
    const again = await put(client, given);
    assert.equal(again.complete, true);
    const kept = again.placed.filter(({ operator }) => good.some((node) => node.operator === operator));
    assert.ok(kept.length > 0);
    assert.deepEqual(
      sent.filter((index) => brought.includes(index)),
      [],
      "what was brought before is not sent again",
    );
  });

  it("attack: waits once for a holder that signs for many bundles and gives back none", async () => {
    const { datasetId, complete, placed } = await put(client, parameters(3, { segmentObjects: 3 }));
    assert.equal(complete, true);
    const counts = new Map<string, number>();
    for (const { operator } of placed) counts.set(operator, (counts.get(operator) ?? 0) + 1);
    const silent = network.nodes.reduce((a, b) => {
      return (counts.get(a.operator) ?? 0) > (counts.get(b.operator) ?? 0) ? a : b;
    });
    silent.misbehave({ cells: (_, caller) => silence(caller) });
    const { manifest, layout } = await fetchManifest(client, await readAnchor(client, datasetId));
    const holders = new Map(placed.map(({ bundleIndex, operator }) => [bundleIndex, operator]));
    const begun = performance.now();
    const failures = await readBack(client, { datasetId, manifest, layout, holders, patience: 2 });
    const seconds = (performance.now() - begun) / 1000;
    assert.equal(failures.length, counts.get(silent.operator));
    assert.ok(failures.every(({ operator }) => operator === silent.operator));
    const waited = failures.filter(({ reason }) => reason === "it gave no cells in 2 s");
    assert.ok(waited.length > 0 && waited.length < failures.length, `${waited.length} of ${failures.length}`);
    assert.ok(seconds < 2 * failures.length, `${seconds} s`);
  });
});
