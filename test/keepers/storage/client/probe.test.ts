import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { addressOf, connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { StagingError, UnknownDatasetError } from "../../../../keepers/src/storage/client/errors.ts";
import { get } from "../../../../keepers/src/storage/client/get.ts";
import { KeptResults } from "../../../../keepers/src/storage/client/kept-results.ts";
import {
  type AskedCell,
  cellsToAsk,
  type ProbeParameters,
  probe,
} from "../../../../keepers/src/storage/client/probe.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import type { BundleStash } from "../../../../keepers/src/storage/client/stash.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { startTestNetwork, type TestNetwork, type TestNode } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

const k = 3;
const n = 5;

describe("a probe of a dataset, over real nodes", () => {
  let network: TestNetwork;
  let client: StorageWriter;
  let datasetId: Hex;

  before(async () => {
    network = await startTestNetwork(n);
    client = await network.writer();
    const stored = await put(client, {
      source: sourceOf(objectsOf(7, 40, 700)),
      identity: "probed",
      directory: join(network.folder, "uploads"),
      commit: async (bytes: Uint8Array) => commitBundle(bytes),
      k,
      n,
      segmentObjects: 25,
      feePerAudit: 10n ** 15n,
      epochs: 10,
    });
    datasetId = stored.datasetId;
  });
  after(() => network?.close());
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  const segments = Math.ceil(40 / 25);

  /** Gives neither bundles nor the manifest. */
  const refuse = (node: TestNode) => {
    const refusal = () => {
      throw new RefusalError("busy", "not now");
    };
    node.misbehave({ get: refusal, manifest: refusal });
  };
  const probed = (parameters: Partial<ProbeParameters> = {}) => probe(client, { datasetId, ...parameters });
  const noSpace = new StagingError("kept", Object.assign(new Error("no space left"), { code: "ENOSPC" }));
  /** What has been kept on a disk that takes nothing more. */
  const fullStash = () =>
    ({
      has: async () => false,
      add: () => Promise.reject(noSpace),
    }) as unknown as BundleStash;
  const none = { isAnswered: () => false };

  it("finds nothing as long as k of n serve", async () => {
    const whole = { datasetId, k, n, segments, looked: segments, unreadable: [] };
    assert.deepEqual(await probed(), whole);
    for (const node of network.nodes.slice(0, n - k)) refuse(node);
    assert.deepEqual(await probed(), whole);
    assert.equal((await probed({ mostSegments: 1 })).looked, 1);
    assert.equal((await probed({ seconds: 0 })).looked, 0);
  });

  it("attack: needs no manifest to name what is not served, with what the contract takes a challenge by", async () => {
    for (const node of network.nodes) refuse(node);
    const found = await probed();
    assert.deepEqual(
      found.unreadable.map(({ segment, served, vacant }) => [segment, served, vacant]).sort(),
      [0, 1].map((segment) => [segment, 0, 0]),
    );
    for (const { segment, unserved } of found.unreadable) {
      assert.deepEqual(
        unserved.map((each) => each.bundleId),
        Array.from({ length: n }, (_, shard) => bundleId(datasetId, segment * n + shard)),
      );
      for (const { reason } of unserved) assert.match(reason, /not now/);
    }
    const { RetrievalChallenges } = connectContracts(network.client.public, network.deployment);
    const bond = await RetrievalChallenges.read.bond();
    const challenge = ({ bundle, cell }: AskedCell, proof = bundle.proof) =>
      network.client.public.simulateContract({
        account: network.owner.address,
        address: addressOf(network.deployment, "RetrievalChallenges"),
        abi: abis.RetrievalChallenges,
        functionName: "challenge",
        args: [bundle.bundleId, cell, bundle.transportRoot, proof],
        value: bond,
      });
    const cells = cellsToAsk(found, { most: segments * (n - k + 1), ...none });
    assert.equal(cells.length, segments * (n - k + 1));
    assert.equal(new Set(cells.map(({ bundle }) => bundle.bundleId)).size, cells.length);
    for (const asked of cells) await challenge(asked);
    const [asked] = cells as [AskedCell];
    const beyond = { ...asked, cell: asked.bundle.cells };
    await assert.rejects(challenge(beyond), "no cell beyond the last");
    await assert.rejects(challenge(asked, asked.bundle.proof.toReversed()), "no other proof");
  });

  it("asks for all that a segment lacks where there are bonds for it, and for nothing twice", async () => {
    for (const node of network.nodes) refuse(node);
    const found = await probed();
    const all = cellsToAsk(found, { most: 10_000, ...none });
    const bundles = new Map(all.map(({ bundle }) => [bundle.bundleIndex, bundle]));
    assert.equal(bundles.size, segments * k);
    assert.equal(
      all.length,
      [...bundles.values()].reduce((sum, { cells }) => sum + cells, 0),
    );
    assert.equal(cellsToAsk(found, { most: 2, ...none }).length, 2);
    assert.deepEqual(cellsToAsk(found, { most: 0, ...none }), []);
    assert.deepEqual(cellsToAsk(found, { most: 10_000, isAnswered: () => true }), []);
    const left = cellsToAsk(found, { most: 6, isAnswered: (_, cell) => cell !== 1 });
    assert.ok(left.length > 0 && left.every(({ cell }) => cell === 1));
  });

  it("attack: keeps what is served once, so that it is read when nobody serves anything any more", async () => {
    const kept = new KeptResults(join(network.folder, "kept"));
    const keep = (bytes: number) => kept.stash(datasetId, bytes);
    assert.equal((await probed({ keep })).looked, segments);
    await kept.manifest(client, datasetId);
    for (const node of network.nodes) refuse(node);
    assert.deepEqual((await probed({ keep })).unreadable, []);
    const directory = (await kept.directoryOf(datasetId))!;
    for (const name of ["once", "again"]) {
      const target = join(network.folder, name);
      const { downloaded } = await get(client, { datasetId, target, directory, keepsBundles: true });
      assert.equal(downloaded, 0);
    }
  });

  it("says once that a full disk keeps nothing, and finds out all the same what is served", async () => {
    const full: [string, ProbeParameters["keep"]][] = [
      ["no folder", () => Promise.reject(noSpace)],
      ["no bytes", async () => fullStash()],
    ];
    for (const [what, keep] of full) {
      const told: string[] = [];
      const parameters = { keep, onNotKept: (reason: string) => told.push(reason) };
      for (const node of network.nodes) node.misbehave({});
      assert.deepEqual((await probed(parameters)).unreadable, [], what);
      assert.equal(told.length, 1, what);
      assert.match(told[0]!, /no space is left/);
      for (const node of network.nodes.slice(1)) refuse(node);
      const { looked, unreadable } = await probed(parameters);
      assert.deepEqual([looked, unreadable.length], [segments, segments], what);
      assert.ok(cellsToAsk({ k, n, unreadable }, { most: 100, ...none }).length > 0);
      for (const { unserved } of unreadable)
        assert.ok(
          unserved.every(({ operator }) => operator !== network.nodes[0]!.operator),
          what,
        );
    }
  });

  it("fetches again what was kept and the own disk does not give", async () => {
    const broken = {
      has: async () => true,
      read: () => Promise.reject(new Error("the disk is broken")),
      add: async () => {},
    } as unknown as BundleStash;
    const { looked, unreadable } = await probed({ keep: async () => broken });
    assert.deepEqual([looked, unreadable], [segments, []]);
  });

  it("attack: names those that use the time up, others at each look, of a dataset that any one of many may serve", async () => {
    const { datasetId: wide } = await put(client, {
      source: sourceOf(objectsOf(9, 3, 300)),
      identity: "wide",
      directory: join(network.folder, "uploads"),
      commit: async (bytes: Uint8Array) => commitBundle(bytes),
      ...{ k: 1, n, feePerAudit: 10n ** 15n, epochs: 10 },
    });
    for (const node of network.nodes)
      node.misbehave({
        get: async function* (request) {
          await delay(4000);
          yield* node.service.get(request);
        },
      });
    const looks = await Promise.all(
      Array.from({ length: 12 }, () => probe(client, { datasetId: wide, seconds: 1, silence: 0.5 })),
    );
    const named = looks.map(({ looked, unreadable }) => {
      assert.deepEqual([looked, unreadable.length], [1, 1]);
      assert.ok(cellsToAsk({ k: 1, n, unreadable }, { most: 100, ...none }).length > 0);
      return unreadable[0]!.unserved[0]!.bundleIndex;
    });
    assert.ok(new Set(named).size > 1, `always ${named[0]}`);
  });

  it("blames nobody who serves bytes that are wrong more than one who serves none", async () => {
    const wrong = network.nodes.slice(0, n - k + 1);
    for (const node of wrong)
      node.misbehave({
        get: async function* (request) {
          for await (const chunk of node.service.get(request)) yield chunk.map((byte) => byte ^ 1);
        },
      });
    for (const { served, unserved } of (await probed()).unreadable) {
      assert.equal(served, k - 1);
      assert.deepEqual(
        unserved.map(({ operator }) => operator.toLowerCase()).sort(),
        wrong.map(({ operator }) => operator.toLowerCase()).sort(),
      );
    }
    assert.equal((await probed()).unreadable.length, segments);
  });

  it("knows no dataset that is not anchored, and names holders that do not answer at all", async () => {
    await assert.rejects(probed({ datasetId: `0x${"12".repeat(32)}` }), UnknownDatasetError);
    for (const node of network.nodes) await node.stop();
    const { unreadable } = await probe(await network.writer(), { datasetId, mostSegments: 1 });
    assert.equal(unreadable[0]!.unserved.length, n);
  });
});
