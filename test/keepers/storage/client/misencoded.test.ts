import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { bytesToHex, type Hex, toHex } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { publicKeyOf } from "../../../../keepers/src/core/dataset/encryption.ts";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { cellOf } from "../../../../keepers/src/core/merkle/cell.ts";
import { showEncodingFraud } from "../../../../keepers/src/roles/jobs/encoding-fraud.ts";
import { createJobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { readingAgreed } from "../../../../keepers/src/roles/storage-node/context.ts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { readAnchoredRoots } from "../../../../keepers/src/storage/client/anchored-roots.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import type { CodewordFraud } from "../../../../keepers/src/storage/client/codeword-fraud.ts";
import { allBundles, readAnchor, readHolders } from "../../../../keepers/src/storage/client/dataset.ts";
import { MisencodedError } from "../../../../keepers/src/storage/client/errors.ts";
import { bundleBytes } from "../../../../keepers/src/storage/client/fetch-bundles.ts";
import { fetchData } from "../../../../keepers/src/storage/client/fetch-data.ts";
import { get } from "../../../../keepers/src/storage/client/get.ts";
import { KeptResults } from "../../../../keepers/src/storage/client/kept-results.ts";
import { cellsToAsk, type Probe, probe } from "../../../../keepers/src/storage/client/probe.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import { readLogs } from "../../../../keepers/src/storage/client/read-logs.ts";
import { transportTreeOf } from "../../../../keepers/src/storage/client/roots.ts";
import { readStream } from "../../../../keepers/src/storage/client/stored-stream.ts";
import { verify } from "../../../../keepers/src/storage/client/verify.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { generator } from "../random.ts";
import { startTestNetwork, type TestNetwork, type TestNode } from "./network.ts";
import { objectsOf, sourceOf } from "./sources.ts";

const [k, n] = [3, 5];
const objects = objectsOf(21, 10, 700);
const whole = Buffer.concat(objects);

/** What an owner anchors in the place of the parity of its data bundles. */
type Parity = (data: readonly Uint8Array[]) => readonly Uint8Array[];

const random = generator(22);
/** Bytes that have nothing to do with the data. */
const noise: Parity = ([first]) => Array.from({ length: n - k }, () => random.bytes(first!.length));
/** Parity of other data: whatever is served without the first data bundle is a codeword. */
const ofOtherData: Parity = ([first, ...rest]) =>
  new ErasureCode(k, n).encode([random.bytes(first!.length), ...rest]);

describe("a dataset whose parity is none, over real nodes and contracts", () => {
  let network: TestNetwork;
  let client: StorageWriter;
  let stored = 0;

  before(async () => {
    network = await startTestNetwork(n);
    client = await network.writer();
  });
  after(() => network?.close());
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  /** Anchors and stores a dataset as an owner that cheats: each root is that of its bundle, so that every node admits it. */
  async function storedWith(parity: Parity, recipients?: readonly Uint8Array[]): Promise<Hex> {
    const data: Uint8Array[] = [];
    let wrong: readonly Uint8Array[] = [];
    let bundles = 0;
    const { datasetId } = await put(client, {
      source: sourceOf(objects),
      identity: `misencoded ${++stored}`,
      directory: join(network.folder, "uploads"),
      commit: async (bytes) => {
        const shard = bundles++;
        if (shard < k) data.push(bytes.slice());
        if (shard === k - 1) wrong = parity(data);
        if (shard >= k) bytes.set(wrong[shard - k]!);
        return commitBundle(bytes);
      },
      ...{ k, n, feePerAudit: 10n ** 15n, epochs: 10, ...(recipients && { recipients }) },
    });
    return datasetId;
  }

  async function holderOf(datasetId: Hex, bundleIndex: number): Promise<TestNode> {
    const [holder] = await readHolders(client, datasetId, [bundleIndex]);
    return network.nodes.find(({ operator }) => operator.toLowerCase() === holder!.operator!.toLowerCase())!;
  }

  /** Has the owner's node serve nobody. */
  async function withhold(datasetId: Hex, ...bundles: number[]): Promise<void> {
    const refusal = () => {
      throw new RefusalError("busy", "not now");
    };
    for (const index of bundles) (await holderOf(datasetId, index)).misbehave({ get: refusal });
  }

  async function bytesOf(datasetId: Hex, bundleIndex: number): Promise<Uint8Array> {
    const { service } = await holderOf(datasetId, bundleIndex);
    const { layout } = await readAnchor(client, datasetId);
    const length = bundleBytes(layout, bundleIndex);
    return await collect(service.get({ datasetId, bundleIndex, offset: 0, length }));
  }

  /** A duty's context of somebody who has nothing to do with the dataset. */
  async function stranger() {
    const account = network.chain.account(15);
    const writer = await network.writer(account);
    const { contracts, deployment, chain, queue } = writer;
    return {
      ...{ operator: account.address, client: chain, deployment, contracts, log: pino({ level: "silent" }) },
      agreed: readingAgreed({ client: chain, contracts, deployment }),
      queue: queue as never,
    };
  }

  /** Shows it to the contracts, which pay half of the owner's bond. */
  async function convict(datasetId: Hex, fraud: CodewordFraud | undefined): Promise<void> {
    assert.ok(fraud);
    const { DatasetRegistry } = client.contracts;
    const { bond } = await DatasetRegistry.read.datasetOf([datasetId]);
    const context = await stranger();
    const before = await DatasetRegistry.read.creditOf([context.operator]);
    assert.equal((await DatasetRegistry.read.availabilityOf([datasetId]))[0], true);
    assert.equal(await showEncodingFraud(context, fraud), true);
    assert.equal((await DatasetRegistry.read.termsOf([datasetId]))[0], 2);
    assert.equal((await DatasetRegistry.read.availabilityOf([datasetId]))[0], false, "it is not paid for");
    assert.equal((await DatasetRegistry.read.creditOf([context.operator])) - before, bond / 2n);
    const [proven] = await readLogs(client, "EncodingFraud", "EncodingFraudProven", { datasetId });
    const hash = proven!.transactionHash;
    const { gasUsed } = await network.client.public.getTransactionReceipt({ hash });
    assert.ok(gasUsed < 300_000n, `${gasUsed}`);
  }

  const askedNothing = { isAnswered: () => false };
  const unreadable = ({ unreadable: [found] }: Probe) =>
    found && { served: found.served, unserved: found.unserved.map(({ bundleIndex }) => bundleIndex) };

  it("attack: random parity beside a data bundle that nobody is served does not count as served, and convicts", async () => {
    const datasetId = await storedWith(noise);
    await withhold(datasetId, 0);
    for (let look = 0; look < 3; look++) {
      const found = await probe(client, { datasetId });
      const { served, unserved } = unreadable(found)!;
      // What convicts is enough: nobody else is asked then.
      assert.ok(served > k && served < n, `${served} are served`);
      assert.deepEqual(unserved, [0]);
      assert.ok(found.fraud);
    }
    const { fraud } = await probe(client, { datasetId });
    await convict(datasetId, fraud);
    // Whoever comes second learns that it was shown.
    assert.equal(await showEncodingFraud(await stranger(), fraud!), true);
  });

  it("attack: a challenger, and whoever fetches it, has what convicts in its hands", async () => {
    const datasetId = await storedWith(noise);
    await withhold(datasetId, 1);
    const failed = await readStream(client, { datasetId, count: whole.length }).then(
      () => assert.fail("it was read"),
      (error: unknown) => error,
    );
    assert.ok(failed instanceof MisencodedError);
    assert.match(failed.message, /bundle 1 is another/);
    await convict(datasetId, failed.fraud);
  });

  it("attack: parity of other data has the data bundle asked for on chain, and one published cell of it convicts", async () => {
    const datasetId = await storedWith(ofOtherData);
    await withhold(datasetId, 0);
    const found = await probe(client, { datasetId });
    assert.deepEqual(unreadable(found), { served: n - 1, unserved: [0] });
    assert.equal(found.fraud, undefined, "all that is served is a codeword");
    const cells = cellsToAsk(found, { most: 1, ...askedNothing });
    assert.deepEqual(
      cells.map(({ bundle, cell }) => [bundle.bundleIndex, cell]),
      [[0, found.unreadable[0]!.unserved[0]!.cells - 1]],
    );
    await publish(datasetId, cells[0]!);
    const { fraud } = await probe(client, { datasetId });
    await convict(datasetId, fraud);
  });

  it("attack: a holder that stalls with a data bundle does not keep what is on chain, or what another serves, from convicting", async () => {
    const known = async (datasetId: Hex) => {
      const bundles = await Promise.all([1, 2, 3].map((index) => bytesOf(datasetId, index)));
      return [undefined, ...bundles, undefined];
    };
    const fetched = async (datasetId: Hex) => {
      const dataset = await readAnchoredRoots(client, await readAnchor(client, datasetId));
      const holders = await readHolders(client, datasetId, allBundles(dataset.layout));
      const asked = { dataset, segment: 0, holders, known: await known(datasetId), grace: 100 };
      const began = performance.now();
      const found = await fetchData(client, asked);
      assert.ok(performance.now() - began < 10_000, "nobody is waited for");
      assert.deepEqual(found.wrong, [0]);
      return found.fraud;
    };
    const other = await storedWith(ofOtherData);
    await withhold(other, 0);
    await publish(
      other,
      cellsToAsk(await probe(client, { datasetId: other }), { most: 1, ...askedNothing })[0]!,
    );
    const stalls = async function* () {
      await delay(60_000, undefined, { ref: false });
      yield new Uint8Array(1);
    };
    (await holderOf(other, 0)).misbehave({ get: stalls });
    const onChain = await fetched(other);
    for (const node of network.nodes) node.misbehave({});
    const datasetId = await storedWith(noise);
    await withhold(datasetId, 0);
    await convict(datasetId, await fetched(datasetId));
    await convict(other, onChain);
  });

  async function publish(datasetId: Hex, { bundle, cell }: ReturnType<typeof cellsToAsk>[number]) {
    const { deployment, owner } = network;
    const value = await client.contracts.RetrievalChallenges.read.bond();
    const ask = [bundle.bundleId, cell, bundle.transportRoot, bundle.proof] as const;
    await network.send(owner, { ...encodeCall(deployment, "RetrievalChallenges", "challenge", ask), value });
    const [asked] = await readLogs(client, "RetrievalChallenges", "RetrievalChallenged", {
      bundleId: bundle.bundleId,
    });
    const bytes = await bytesOf(datasetId, bundle.bundleIndex);
    const siblings = transportTreeOf(bytes).proof(cell);
    const answer = encodeCall(deployment, "RetrievalChallenges", "publish", [
      asked!.args.challengeId,
      toHex(cellOf(bytes, cell)),
      siblings.map((sibling) => bytesToHex(sibling)),
    ]);
    // An estimate sees a base fee of 0, at which nothing is written for the operator.
    await network.send(owner, { ...answer, gas: 300_000n });
  }

  it("attack: parity that was kept does not keep it from being read once the data bundle is served", async () => {
    const datasetId = await storedWith(noise);
    await withhold(datasetId, 0);
    const results = new KeptResults(join(network.folder, "kept"));
    const keep = (bytes: number) => results.stash(datasetId, bytes);
    await probe(client, { datasetId, keep });
    const storage = createJobStorage(client, results);
    const wanted = { datasetId, count: whole.length };
    await assert.rejects(storage.stream(wanted), MisencodedError);
    for (const node of network.nodes) node.misbehave({});
    assert.deepEqual(Buffer.from((await storage.stream(wanted)).bytes), whole);
    const target = join(network.folder, "read");
    const directory = (await results.directoryOf(datasetId))!;
    await get(client, { datasetId, target, directory, keepsBundles: true, proofs: "none" });
    assert.deepEqual(await readFile(join(target, "records.bin")), whole);
    await withhold(datasetId, 0);
    const again = await probe(client, { datasetId, keep });
    assert.deepEqual(again.unreadable, [], "it is kept whole");
  });

  it("attack: a full verification says that its bundles are no codeword, with what convicts", async () => {
    const datasetId = await storedWith(noise);
    const commit = async (bytes: Uint8Array) => commitBundle(bytes);
    const { checks, fraud } = await verify(client, { datasetId, full: true, proofs: "none", commit });
    assert.deepEqual(
      checks.filter(({ ok }) => !ok).map(({ what }) => what),
      ["code"],
    );
    const other = await storedWith(ofOtherData);
    await withhold(other, 0);
    const found = await verify(client, { datasetId: other, full: true, proofs: "none", commit });
    assert.equal(
      found.checks.find(({ what }) => what === "code")?.ok,
      false,
      "the roots are not those of the data",
    );
    assert.equal(found.fraud, undefined);
    await convict(datasetId, fraud);
  });

  it("attack: a full verification has what convicts although the false parity does not decrypt", async () => {
    const secret = random.bytes(32);
    const datasetId = await storedWith(noise, [publicKeyOf(secret)]);
    await withhold(datasetId, 0);
    const commit = async (bytes: Uint8Array) => commitBundle(bytes);
    const found = await verify(client, { datasetId, full: true, proofs: "none", commit, secret });
    assert.deepEqual(
      found.checks.filter(({ ok }) => !ok).map(({ what }) => what),
      ["bundles", "code", "objects"],
    );
    await convict(datasetId, found.fraud);
  });

  it("is read by its data bundles where they are served, whatever its parity is", async () => {
    const datasetId = await storedWith(noise);
    await mkdir(join(network.folder, "fresh"), { recursive: true });
    const target = join(network.folder, "fresh", "files");
    await get(client, { datasetId, target, directory: join(network.folder, "fresh"), proofs: "none" });
    assert.deepEqual(await readFile(join(target, "records.bin")), whole);
    assert.deepEqual((await probe(client, { datasetId })).unreadable, []);
  });
});
