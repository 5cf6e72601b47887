import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Hex, hexToBytes } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { verifyBinaryProof } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { bundleLeaf } from "../../../../keepers/src/core/merkle/bundles-root.ts";
import { leafHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import { createResultStorage, type ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { NotEnoughBundlesError, TooFewHoldersError } from "../../../../keepers/src/storage/client/errors.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { startTestNetwork, type TestNetwork } from "../../storage/client/network.ts";

const terms = { k: 2, feePerAudit: 0n, epochs: 10 };

describe("results on storage nodes", () => {
  let network: TestNetwork;
  let storage: ResultStorage;
  let folder: string;
  let datasetId: Hex;

  before(async () => {
    network = await startTestNetwork(3);
    folder = join(network.folder, "result");
    await mkdir(folder);
    await writeFile(join(folder, "state"), new Uint8Array(10_000).fill(7));
    await writeFile(join(folder, "leaves"), new Uint8Array(576).fill(9));
    const writer = await network.writer();
    storage = createResultStorage(writer, { ...terms, n: 3 }, async (bytes) => commitBundle(bytes));
  });

  after(async () => {
    await network?.close();
  });

  const directory = (name: string) => join(network.folder, name);

  it("are stored with all bundles held, once however often they are stored", async () => {
    const store = () => storage.store({ folder, name: "job-1", directory: directory("uploads") });
    datasetId = await store();
    const paid = await network.balance();
    const writer = await network.writer();
    const { held, bundles, owner } = await writer.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    assert.deepEqual([held, bundles, owner], [3, 3, network.owner.address]);
    assert.equal(await store(), datasetId);
    assert.equal(await network.balance(), paid);
  });

  it("come back as the files that they were", async () => {
    const target = directory("fetched");
    const parameters = { datasetId, target, directory: directory("downloads"), mostBytes: 10_576 };
    // What an earlier fetch has left goes away.
    for (let time = 0; time < 2; time++) await storage.folder(parameters);
    assert.deepEqual((await readdir(target)).sort(), ["leaves", "state"]);
    for (const name of ["state", "leaves"]) {
      assert.deepEqual(await readFile(join(target, name)), await readFile(join(folder, name)));
    }
  });

  it("attack: stay here as they were fetched once when their holders refuse them", async () => {
    const target = directory("fetched again");
    const fetch = () =>
      storage.folder({ datasetId, target, directory: directory("downloads"), mostBytes: 10_576 });
    await fetch();
    for (const node of network.nodes) {
      node.misbehave({
        // biome-ignore lint/correctness/useYield: it refuses before it gives anything
        async *get() {
          throw new RefusalError("refused", "not for you");
        },
      });
    }
    await assert.rejects(fetch(), NotEnoughBundlesError);
    for (const node of network.nodes) node.misbehave({});
    assert.deepEqual((await readdir(target)).sort(), ["leaves", "state"]);
  });

  it("are one stream of bytes, each in a cell that leads to the anchor", async () => {
    const files = [await readFile(join(folder, "leaves")), await readFile(join(folder, "state"))];
    const whole = Buffer.concat(files);
    const stream = await storage.stream({ datasetId, count: whole.length });
    assert.deepEqual(Buffer.from(stream.bytes), whole);
    const writer = await network.writer();
    const { bundlesRoot, bundles } = await writer.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    const cells = stream.cells([0, 1, 575, 576, whole.length - 1, stream.length]);
    assert.equal(new Set(cells.map((each) => `${each.bundleIndex}:${each.cellIndex}`)).size, cells.length);
    for (const { bundleIndex, cellIndex, poseidonRoot, transportRoot, ...each } of cells) {
      const leaf = bundleLeaf(bundleIndex, {
        poseidonRoot: hexToBytes(poseidonRoot),
        transportRoot: hexToBytes(transportRoot),
      });
      const siblings = each.bundleProof.map((hash) => hexToBytes(hash));
      const root = hexToBytes(bundlesRoot);
      assert.ok(verifyBinaryProof({ root, leaf, index: bundleIndex, leaves: bundles, siblings }));
      const cell = {
        root: hexToBytes(transportRoot),
        leaf: leafHash(hexToBytes(each.cell)),
        index: cellIndex,
        leaves: 2 ** each.cellProof.length,
        siblings: each.cellProof.map((hash) => hexToBytes(hash)),
      };
      assert.ok(verifyBinaryProof(cell));
    }
  });

  it("are refused before anything is downloaded when they are larger than they can be", async () => {
    const target = directory("huge");
    await writeFile(join(folder, "state"), new Uint8Array(100_000).fill(7));
    const huge = await storage.store({ folder, name: "job-2", directory: directory("uploads") });
    const fetch = storage.folder({
      datasetId: huge,
      target,
      directory: directory("downloads"),
      mostBytes: 500,
    });
    await assert.rejects(fetch, OrderRefusedError);
    assert.deepEqual(await readdir(target).catch(() => []), []);
  });

  it("wait for holders when there are too few of them to read them, and are committed to only then", async () => {
    const writer = await network.writer(network.owner);
    const wide = createResultStorage(writer, { ...terms, k: 4, n: 5 }, async (bytes) => commitBundle(bytes));
    const store = () => wide.store({ folder, name: "job-3", directory: directory("uploads") });
    await assert.rejects(store(), TooFewHoldersError);
    await network.addNode();
    const { DatasetRegistry } = writer.contracts;
    const wideId = await store();
    const { held, bundles, shortSegments } = await DatasetRegistry.read.datasetOf([wideId]);
    assert.deepEqual([held, bundles, shortSegments], [4, 5, 0]);
  });

  it("are brought to others when nodes give them up, from the copy that is kept, without the folder", async () => {
    const writer = await network.writer(network.owner);
    const parameters = { folder, name: "job-1", directory: directory("uploads") };
    const { BundleRegistry, DatasetRegistry } = writer.contracts;
    for (const index of [0, 1]) {
      const bundleId = await BundleRegistry.read.bundleIdOf([datasetId, index]);
      const { operator } = await BundleRegistry.read.holdingOf([bundleId]);
      const node = network.nodes.find(({ account }) => account.address === operator)!;
      await network.send(
        node.account,
        encodeCall(network.deployment, "BundleRegistry", "surrender", [bundleId]),
      );
    }
    const [, short] = await DatasetRegistry.read.availabilityOf([datasetId]);
    assert.equal(short, 1);
    for (let more = 0; more < 2; more++) await network.addNode();
    const others = network.nodes.slice(3);
    const paid = await network.balance();
    // Each takes its bundle over by itself, with a proof. Until then too few hold one, which keeps it from being paid, and not from
    // being committed to: it was held. Asked again, it has it already.
    for (let time = 0; time < 2; time++) {
      assert.equal(await storage.store({ ...parameters, folder: directory("gone") }), datasetId);
      const brought = [];
      for (const { service } of others) {
        const { bundles } = await service.status({ datasetId, bundleIndices: [0, 1] });
        brought.push(...bundles.filter(({ state }) => state === "held").map((each) => each.bundleIndex));
      }
      assert.deepEqual(brought.sort(), [0, 1]);
    }
    // Whoever left takes none of them over before these.
    for (const { account, service } of network.nodes) {
      const isStandby = await BundleRegistry.read.isStandby([datasetId, account.address]);
      const { bundles } = await service.status({ datasetId, bundleIndices: [0, 1] });
      const isTaker =
        bundles.some(({ state }) => state === "held") && others.some((o) => o.service === service);
      assert.equal(isStandby, isTaker);
    }
    assert.equal(await network.balance(), paid);
  });
});
