import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { bytesToHex, type Hex } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { cellOf } from "../../../../keepers/src/core/merkle/cell.ts";
import { keptFolder } from "../../../../keepers/src/roles/challenger/misstored.ts";
import type { ResultNews } from "../../../../keepers/src/roles/consumer/result-watch.ts";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { readAnchoredRoots } from "../../../../keepers/src/storage/client/anchored-roots.ts";
import type { StorageClient } from "../../../../keepers/src/storage/client/client.ts";
import { readAnchor } from "../../../../keepers/src/storage/client/dataset.ts";
import { NotEnoughBundlesError } from "../../../../keepers/src/storage/client/errors.ts";
import { readLogs } from "../../../../keepers/src/storage/client/read-logs.ts";
import { transportTreeOf } from "../../../../keepers/src/storage/client/roots.ts";
import { readStream } from "../../../../keepers/src/storage/client/stored-stream.ts";
import { bundlesOfObject } from "../../core/erasure/one-object.ts";
import { retrieval, windows } from "./network.ts";
import { Scene } from "./scene.ts";

/** Bundles of a result, and those that it takes to read it. */
const [n, k] = [3, 2];

type Options = {
  /** Whether its parity is of something else. */
  readonly isFalse: boolean;
  readonly watches: boolean;
};

/** A job that was trained rightly, and whose provider has stopped; nobody holds the first of its bundles. */
async function committed({ isFalse, watches }: Options) {
  const news: ResultNews[] = [];
  const scene = await Scene.start({
    results: watches
      ? {
          mostBonds: 10_000n * retrieval.bond,
          ...{ every: 0, pause: 0, patience: 60_000 },
          onNews: (each) => news.push(each),
        }
      : undefined,
  });
  after(() => scene.close());
  const { network, storage } = scene;
  storage.encode = (stream) =>
    bundlesOfObject(stream, k, n).map((bundle, shard) =>
      shard < k || !isFalse ? bundle : randomFillSync(new Uint8Array(bundle.length)),
    );
  storage.resultHolders = await scene.holders(n);
  storage.unplaced.add(0);
  const account = scene.account();
  await scene.stake(account);
  const provider = await scene.openProvider(account);
  const described = await scene.order();
  await scene.consumer.post(described);
  await scene.until(described, "Committed", [provider]);
  await provider.stop();
  const { jobId, result } = scene.job(described)!;
  const { resultId } = result!;
  const view = { chain: network.client, deployment: network.deployment, contracts: network.contracts };
  const asked = () => readLogs(view, "RetrievalChallenges", "OwnerChallenged", { datasetId: resultId });
  /** The provider's keeper goes on; whoever has lied may have no copy that it could publish. */
  const reopened = async () => {
    const keeper = await scene.openProvider(account);
    after(() => keeper.stop());
    return keeper;
  };
  return { scene, news, described, jobId, resultId, view, account, asked, reopened };
}

/** What a challenger reads that finds no file to read, as it is of a result that is no encoding of anything. */
function readingOf({ view, scene }: Awaited<ReturnType<typeof committed>>, real: JobStorage): JobStorage {
  const client = { ...view, peers: scene.storage.peers } as unknown as StorageClient;
  return {
    ...real,
    folder: async () => {
      throw new NotEnoughBundlesError(0, 0, k, []);
    },
    stream: (parameters) => readStream(client, parameters),
  };
}

/** A result with false parity, of which a challenger was served k bundles, and has asked for the one cell that convicts. */
async function challenged({ isKept = true }: { readonly isKept?: boolean } = {}) {
  const made = await committed({ isFalse: true, watches: false });
  const { scene, jobId, resultId, asked } = made;
  const account = scene.account();
  const real = readingOf(made, scene.storage.of(account));
  let looks = 0;
  const storage: JobStorage = {
    ...real,
    stream: (parameters) => {
      looks++;
      return real.stream(isKept ? parameters : { ...parameters, keep: async () => undefined });
    },
  };
  // Looks follow each other soon.
  const options = { storage, fetchTime: 60, interval: 1 };
  const challenger = await scene.challenger(account, options);
  await scene.untilHolds("the question", [challenger], async () => (await asked()).length > 0);
  assert.equal((await asked()).length, 1);
  const kept = join(keptFolder(join(scene.network.folder, account.address, "jobs"), jobId), resultId);
  const reopened = () => scene.challenger(account, options);
  return { made, account, challenger, asked, kept, looks: () => looks, reopened };
}

/** Its provider's keeper publishes what it is asked for, and does no more. */
async function published({ scene, view, reopened }: Awaited<ReturnType<typeof committed>>): Promise<void> {
  const provider = await reopened();
  const cells = () => readLogs(view, "RetrievalChallenges", "CellPublished", {});
  await scene.untilHolds("the publication", [provider], async () => (await cells()).length === 1);
  await provider.stop();
}

const statusOf = async ({ scene, resultId }: { readonly scene: Scene; readonly resultId: Hex }) =>
  (await scene.network.contracts.DatasetRegistry.read.termsOf([resultId]))[0];

describe("a result of which k bundles are held, and the rest by nobody", () => {
  it("attack: fails where its parity is of something else: its consumer asks the owner, who publishes nothing", async () => {
    const made = await committed({ isFalse: true, watches: true });
    const { scene, news, described, jobId, asked } = made;
    await scene.settle([], 2);
    assert.equal(news.at(-1)!.kind, "asked");
    assert.match(
      news.at(-1)!.text,
      /data bundles that the others do not give \(the first of them: nobody holds it\)/,
    );
    assert.ok((await asked()).length > 0);
    const janitor = await scene.janitor();
    await scene.network.chain.advance(windows.challenge + 1);
    await scene.settle([janitor], 2);
    await scene.network.chain.advance(retrieval.grace + 1);
    await scene.until(described, "Failed", [janitor]);
    const { contracts } = scene.network;
    assert.equal(await contracts.JobRegistry.read.isOwed([jobId]), false, "it is settled");
  });

  it("attack: is shown to be no encoding of anything where its owner publishes what it is asked for", async () => {
    const made = await committed({ isFalse: true, watches: true });
    const { scene, news, reopened } = made;
    await scene.settle([], 2);
    assert.equal(news.at(-1)!.kind, "asked");
    const provider = await reopened();
    await scene.untilHolds("the conviction", [provider], async () => (await statusOf(made)) === 2);
    assert.equal(news.at(-1)!.kind, "fraudulent");
  });

  it("attack: is asked for by a challenger in the one cell that convicts, and shown with what is published", async () => {
    const made = await committed({ isFalse: true, watches: false });
    const { scene, asked, reopened } = made;
    const account = scene.account();
    const storage = readingOf(made, scene.storage.of(account));
    const challenger = await scene.challenger(account, { storage, fetchTime: 60 });
    await scene.untilHolds("the question", [challenger], async () => (await asked()).length > 0);
    assert.equal((await asked()).length, 1);
    const provider = await reopened();
    const published = () => readLogs(made.view, "RetrievalChallenges", "CellPublished", {});
    await scene.untilHolds("the publication", [provider], async () => (await published()).length === 1);
    await scene.network.chain.advance(retrieval.window);
    await scene.untilHolds("the conviction", [challenger], async () => (await statusOf(made)) === 2);
    assert.equal((await asked()).length, 1, "one question was enough");
  });

  it("attack: is shown to be wrong although its holders have served nobody since the one cell was published", async () => {
    const { made, challenger, asked, kept } = await challenged();
    assert.equal((await readdir(kept)).length, k, "what was served is kept as long as the job's folder is");
    await published(made);
    made.scene.storage.isServing = false;
    await made.scene.untilHolds("the conviction", [challenger], async () => (await statusOf(made)) === 2);
    assert.equal((await asked()).length, 1, "one question was enough");
  });

  it("attack: is looked at as long as what was published can convict, where there was no room to keep the rest", async () => {
    const { made, challenger, looks } = await challenged({ isKept: false });
    const { scene } = made;
    await published(made);
    scene.storage.isServing = false;
    // There is no time for another look at a right result that nobody serves.
    await scene.network.chain.advance(windows.challenge);
    const before = looks();
    await scene.untilHolds("a look", [challenger], () => looks() > before);
    scene.storage.isServing = true;
    await scene.untilHolds("the conviction", [challenger], async () => (await statusOf(made)) === 2);
  });

  it("attack: is shown to be wrong by a challenger that was stopped before the answer, and began again after the grace", async () => {
    const { made, challenger, reopened: again } = await challenged();
    await challenger.stop();
    await published(made);
    made.scene.storage.isServing = false;
    await made.scene.network.outlast(windows.challenge);
    await made.scene.untilHolds("the conviction", [await again()], async () => (await statusOf(made)) === 2);
  });

  it("attack: is shown to be wrong by one published cell although the challenger waits for others", async () => {
    const { made, challenger, account, asked } = await challenged();
    const { scene, resultId, view } = made;
    const { network } = scene;
    const [{ args: first }] = (await asked()) as [Awaited<ReturnType<typeof asked>>[number]];
    const { manifest, tree } = await readAnchoredRoots(view, await readAnchor(view, resultId));
    const { poseidonRoot, transportRoot } = manifest.bundles[0]!;
    const other = first.cellIndex === 0 ? 1 : 0;
    const asking = [resultId, 0, other, poseidonRoot as Hex, transportRoot as Hex, tree.proof(0)] as const;
    const call = encodeCall(network.deployment, "RetrievalChallenges", "challengeOwner", asking);
    await network.send(account, { ...call, value: retrieval.bond });
    await network.chain.advance(61);
    await challenger.tick();
    const bundle = scene.storage.bundlesOf(resultId)[0]!;
    const cell = bytesToHex(cellOf(bundle, first.cellIndex));
    const proof = transportTreeOf(bundle)
      .proof(first.cellIndex)
      .map((each) => bytesToHex(each));
    const args = [first.challengeId, cell, proof] as const;
    // An estimate sees a base fee of 0, at which nothing is written for the operator.
    const publication = {
      ...encodeCall(network.deployment, "RetrievalChallenges", "publish", args),
      gas: 300_000n,
    };
    await network.send(network.admin, publication);
    await network.chain.advance(61);
    await scene.untilHolds("the conviction", [challenger], async () => (await statusOf(made)) === 2);
    const read = network.contracts.RetrievalChallenges.read;
    const [, { args: second }] = (await asked()) as [unknown, Awaited<ReturnType<typeof asked>>[number]];
    assert.equal(await read.isOpen([second.challengeId]), true, "the other is still open");
  });

  it("attack: fails by a challenger that asked, where its owner publishes nothing and nobody else looks", async () => {
    const made = await committed({ isFalse: true, watches: false });
    const { scene, described, asked } = made;
    const account = scene.account();
    const storage = readingOf(made, scene.storage.of(account));
    const challenger = await scene.challenger(account, { storage, fetchTime: 60 });
    await scene.untilHolds("the question", [challenger], async () => (await asked()).length > 0);
    await scene.network.chain.advance(retrieval.window + 1);
    await scene.settle([challenger], 3);
    await scene.network.chain.advance(retrieval.grace + 1);
    await scene.until(described, "Failed", [challenger]);
  });

  it("is paid for once its provider has published what strangers ask it for, and the time to use that is over", async () => {
    const made = await committed({ isFalse: false, watches: false });
    const { scene, described, resultId, view, asked, reopened } = made;
    const { network } = scene;
    const { manifest, tree } = await readAnchoredRoots(view, await readAnchor(view, resultId));
    const { poseidonRoot, transportRoot } = manifest.bundles[0]!;
    for (const cell of [0, 1, 2]) {
      const args = [resultId, 0, cell, poseidonRoot as Hex, transportRoot as Hex, tree.proof(0)] as const;
      const call = encodeCall(network.deployment, "RetrievalChallenges", "challengeOwner", args);
      await network.send(network.admin, { ...call, value: retrieval.bond });
    }
    assert.equal((await asked()).length, 3);
    const provider = await reopened();
    const published = () => readLogs(view, "RetrievalChallenges", "CellPublished", {});
    await scene.untilHolds("the publications", [provider], async () => (await published()).length === 3);
    const janitor = await scene.janitor();
    await network.outlast(windows.challenge);
    await network.chain.advance(retrieval.window + 1);
    await scene.until(described, "Finalised", [provider, janitor]);
  });
});
