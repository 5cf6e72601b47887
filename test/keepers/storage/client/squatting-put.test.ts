import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import type { OfferRequest, PutRequest } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { startTestNetwork, type TestNetwork, type TestNode } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

const k = 3;
const n = 11;

async function* whole(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

describe("a put of which an operator is first", { timeout: 120_000 }, () => {
  let network: TestNetwork;
  let client: StorageWriter;
  let stranger: StorageWriter;

  before(async () => {
    network = await startTestNetwork(n + 1);
    client = await network.writer();
    stranger = await network.writer(network.chain.account(18));
  });
  after(() => network?.close());

  /** Brings a bundle to every other operator and has it signed for, as anybody may that has its bytes. */
  async function squat(
    thief: TestNode,
    offer: OfferRequest,
    manifest: Uint8Array,
    given: PutRequest,
    bytes: Uint8Array,
  ) {
    const { datasetId, bundleIndex } = given;
    const { poseidonRoot, transportRoot } = commitBundle(bytes);
    const hex = (root: Uint8Array) => `0x${Buffer.from(root).toString("hex")}` as const;
    const roots = { poseidonRoot: hex(poseidonRoot), transportRoot: hex(transportRoot) };
    const { timestamp } = await network.client.public.getBlock({ blockTag: "latest" });
    for (const { operator } of network.nodes.filter((node) => node !== thief)) {
      const shards = await stranger.peers.connect(operator);
      const { accepted } = await shards.offer({ ...offer, bundleIndices: [bundleIndex] }, manifest);
      assert.deepEqual(accepted, [bundleIndex]);
      await shards.put({ datasetId, bundleIndex, bytes });
      const until = { validUntil: (timestamp + 3600n).toString(), latestEnd: 10_000 };
      await shards.commit({ datasetId, bundleIndex, ...roots, ...until });
    }
  }

  it("attack: is done although that one sends its bundle to all others, and has them sign for it", async () => {
    let squatted: PutRequest | undefined;
    let offered: { request: OfferRequest; manifest: Uint8Array } | undefined;
    for (const node of network.nodes) {
      node.misbehave({
        offer: (request, manifest, caller) => {
          if (squatted === undefined && manifest !== undefined) offered = { request, manifest };
          return node.service.offer(request, manifest, caller);
        },
        put: async (request, body, length, caller) => {
          if (squatted !== undefined) return node.service.put(request, body, length, caller);
          squatted = request;
          const bytes = await collect(body);
          await squat(node, offered!.request, offered!.manifest, request, bytes);
          return node.service.put(request, whole(bytes), length, caller);
        },
      });
    }
    const { complete, placed, failures } = await put(client, {
      source: sourceOf(objectsOf(1, 20, 700)),
      identity: "squatted",
      directory: join(network.folder, "uploads"),
      commit: async (bytes: Uint8Array) => commitBundle(bytes),
      ...{ k, n, segmentObjects: 20, feePerAudit: 10n ** 15n, epochs: 10 },
      // The first operator has its bundle before any other one is asked.
      parallel: 1,
    });
    assert.ok(squatted !== undefined);
    assert.deepEqual(failures, []);
    assert.equal(complete, true);
    assert.equal(new Set(placed.map(({ operator }) => operator)).size, n);
  });
});
