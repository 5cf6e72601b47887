import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { bytesToHex, type Hex, toHex } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { cellBytes } from "../../../../keepers/src/core/dataset/shape.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { createJobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { readAnchoredRoots } from "../../../../keepers/src/storage/client/anchored-roots.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { readAnchor, readHolders } from "../../../../keepers/src/storage/client/dataset.ts";
import {
  ManifestUnavailableError,
  NotEnoughBundlesError,
} from "../../../../keepers/src/storage/client/errors.ts";
import { bundleBytes } from "../../../../keepers/src/storage/client/fetch-bundles.ts";
import { get } from "../../../../keepers/src/storage/client/get.ts";
import { KeptResults } from "../../../../keepers/src/storage/client/kept-results.ts";
import { probe } from "../../../../keepers/src/storage/client/probe.ts";
import { publishedBundles } from "../../../../keepers/src/storage/client/published-cells.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import { readLogs } from "../../../../keepers/src/storage/client/read-logs.ts";
import { transportTreeOf } from "../../../../keepers/src/storage/client/roots.ts";
import { readStream } from "../../../../keepers/src/storage/client/stored-stream.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { startTestNetwork, type TestNetwork } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

const [k, n] = [2, 3];
const objects = objectsOf(7, 10, 300);
const whole = Buffer.concat(objects);

describe("bundles that were published on chain, cell by cell", () => {
  let network: TestNetwork;
  let client: StorageWriter;
  let datasetId: Hex;
  let cells: number;

  before(async () => {
    network = await startTestNetwork(n);
    client = await network.writer();
    const stored = await put(client, {
      source: sourceOf(objects),
      identity: "published",
      directory: join(network.folder, "uploads"),
      commit: async (bytes: Uint8Array) => commitBundle(bytes),
      ...{ k, n, feePerAudit: 10n ** 15n, epochs: 10 },
    });
    datasetId = stored.datasetId;
    const { layout } = await readAnchor(client, datasetId);
    cells = Math.ceil(bundleBytes(layout, 0) / cellBytes);
  });
  after(() => network?.close());
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  const refusal = () => {
    throw new RefusalError("busy", "not now");
  };
  const withhold = (...methods: ("get" | "manifest")[]) => {
    for (const node of network.nodes)
      node.misbehave(Object.fromEntries(methods.map((method) => [method, refusal])));
  };
  const bytesOf = async (bundleIndex: number) => {
    const [holder] = await readHolders(client, datasetId, [bundleIndex]);
    const { service } = network.nodes.find(
      ({ operator }) => operator.toLowerCase() === holder!.operator!.toLowerCase(),
    )!;
    const { layout } = await readAnchor(client, datasetId);
    const length = bundleBytes(layout, bundleIndex);
    return await collect(service.get({ datasetId, bundleIndex, offset: 0, length }));
  };

  /** Asks for a cell of a bundle, and has it published. */
  async function publish(bundleIndex: number, cellIndex: number): Promise<void> {
    const { deployment, owner } = network;
    const dataset = await readAnchoredRoots(client, await readAnchor(client, datasetId));
    const id = bundleId(datasetId, bundleIndex);
    const { transportRoot } = dataset.manifest.bundles[bundleIndex]!;
    const proof = dataset.tree.proof(bundleIndex);
    const value = await client.contracts.RetrievalChallenges.read.bond();
    const ask = [id, cellIndex, transportRoot as Hex, proof] as const;
    await network.send(owner, { ...encodeCall(deployment, "RetrievalChallenges", "challenge", ask), value });
    const asked = await readLogs(client, "RetrievalChallenges", "RetrievalChallenged", { bundleId: id });
    const bytes = await bytesOf(bundleIndex);
    const cell = new Uint8Array(cellBytes);
    cell.set(bytes.subarray(cellIndex * cellBytes, (cellIndex + 1) * cellBytes));
    const siblings = transportTreeOf(bytes)
      .proof(cellIndex)
      .map((sibling) => bytesToHex(sibling));
    const { challengeId } = asked.at(-1)!.args;
    const call = encodeCall(deployment, "RetrievalChallenges", "publish", [
      challengeId,
      toHex(cell),
      siblings,
    ]);
    // An estimate sees a base fee of 0, at which nothing is written for the operator.
    await network.send(owner, { ...call, gas: 300_000n });
  }

  const wanted = () => ({ datasetId, count: whole.length });
  const stream = () => readStream(client, wanted());

  it("attack: a stream of bytes takes no manifest, which nobody can be made to give", async () => {
    withhold("manifest");
    assert.deepEqual(Buffer.from((await stream()).bytes), whole);
    const target = join(network.folder, "no-manifest");
    await assert.rejects(
      get(client, { datasetId, target, directory: join(network.folder, "downloads") }),
      ManifestUnavailableError,
    );
  });

  it("attack: a stream of bytes that were served once and kept takes no holder any more", async () => {
    const kept = new KeptResults(join(network.folder, "kept"));
    const probed = await probe(client, { datasetId, keep: (bytes) => kept.stash(datasetId, bytes) });
    assert.deepEqual(probed.unreadable, []);
    withhold("get", "manifest");
    assert.deepEqual(Buffer.from((await createJobStorage(client, kept).stream(wanted())).bytes), whole);
    await kept.remove(datasetId);
    await assert.rejects(createJobStorage(client, kept).stream(wanted()), NotEnoughBundlesError);
  });

  it("are there once their last cell is, and are what was anchored", async () => {
    const dataset = await readAnchoredRoots(client, await readAnchor(client, datasetId));
    const indices = [0, 1, 2];
    assert.ok(cells > 1);
    for (let cell = cells - 1; cell > 0; cell--) await publish(1, cell);
    assert.equal((await publishedBundles(client, dataset, indices)).size, 0);
    await publish(1, 0);
    await publish(2, 0);
    const found = await publishedBundles(client, dataset, indices);
    assert.deepEqual([...found.keys()], [1]);
    assert.deepEqual(Buffer.from(found.get(1)!), Buffer.from(await bytesOf(1)));
    const other = dataset.manifest.bundles.with(1, {
      transportRoot: dataset.manifest.bundles[0]!.transportRoot,
    });
    assert.equal(
      (await publishedBundles(client, { ...dataset, manifest: { bundles: other } }, indices)).size,
      0,
    );
  });

  it("attack: stand for those that nobody serves, and too few of them for nothing", async () => {
    withhold("get", "manifest");
    await assert.rejects(stream(), NotEnoughBundlesError);
    for (let cell = 1; cell < cells; cell++) await publish(2, cell);
    assert.deepEqual(Buffer.from((await stream()).bytes), whole);
    withhold("get");
    const target = join(network.folder, "from-chain");
    const { replaced } = await get(client, { datasetId, target, directory: join(network.folder, "more") });
    assert.equal(replaced.length, n, "no holder has served anything");
    assert.equal((await readdir(target)).length > 0, true);
  });
});
