import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { encodeFunctionData, type Hex } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { addressOf, connectContracts } from "../../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import {
  ManifestUnavailableError,
  NotEnoughBundlesError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { probe } from "../../../../keepers/src/storage/client/probe.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
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

  const refuse = (node: TestNode) =>
    node.misbehave({
      get: () => {
        throw new RefusalError("busy", "not now");
      },
    });

  it("finds nothing as long as k of n serve", async () => {
    assert.equal(await probe(client, datasetId), undefined);
    for (const node of network.nodes.slice(0, n - k)) refuse(node);
    assert.equal(await probe(client, datasetId), undefined);
  });

  it("names a bundle of one that refuses, with what the contract takes a challenge by", async () => {
    const refusing = network.nodes.slice(0, n - k + 1);
    for (const node of refusing) refuse(node);
    const unserved = await probe(client, datasetId);
    assert.ok(unserved !== undefined);
    assert.ok(refusing.some(({ operator }) => operator === unserved.operator));
    const ids = Array.from({ length: 2 * n }, (_, index) => bundleId(datasetId, index));
    assert.ok(ids.includes(unserved.bundleId));

    const { RetrievalChallenges } = connectContracts(network.client.public, network.deployment);
    const cell = unserved.cells - 1;
    const challenge = (at: number, proof = unserved.proof) =>
      network.client.public.simulateContract({
        account: network.owner.address,
        address: addressOf(network.deployment, "RetrievalChallenges"),
        abi: abis.RetrievalChallenges,
        functionName: "challenge",
        args: [unserved.bundleId, at, unserved.transportRoot, proof],
        value: bond,
      });
    const bond = await RetrievalChallenges.read.bond();
    await challenge(cell);
    await assert.rejects(challenge(cell + 1), "no cell beyond the last");
    await assert.rejects(challenge(cell, unserved.proof.toReversed()), "no other proof");

    await network.send(network.owner, {
      to: addressOf(network.deployment, "RetrievalChallenges"),
      data: encodeFunctionData({
        abi: abis.RetrievalChallenges,
        functionName: "challenge",
        args: [unserved.bundleId, cell, unserved.transportRoot, unserved.proof],
      }),
      value: bond,
    });
    assert.notEqual(await RetrievalChallenges.read.openChallengeOf([unserved.bundleId, cell]), 0n);
  });

  it("blames nobody who serves bytes that are wrong more than one who serves none", async () => {
    for (const node of network.nodes.slice(0, n - k + 1))
      node.misbehave({
        get: async function* (request) {
          for await (const chunk of node.service.get(request)) yield chunk.map((byte) => byte ^ 1);
        },
      });
    const unserved = await probe(client, datasetId);
    assert.ok(network.nodes.slice(0, n - k + 1).some(({ operator }) => operator === unserved?.operator));
  });

  it("says that there is nobody to challenge when a dataset is not known, or nobody answers at all", async () => {
    await assert.rejects(probe(client, `0x${"12".repeat(32)}`));
    for (const node of network.nodes) await node.stop();
    await assert.rejects(
      probe(await network.writer(), datasetId),
      (error) => error instanceof ManifestUnavailableError || error instanceof NotEnoughBundlesError,
    );
  });
});
