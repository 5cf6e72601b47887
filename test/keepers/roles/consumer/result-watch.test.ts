import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { bytesToHex, type Hex, toHex } from "viem";
import { roles } from "../../../../ignition/modules/roles.ts";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { cellBytes } from "../../../../keepers/src/core/dataset/shape.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import {
  type ResultNews,
  ResultWatch,
  type ResultWatchOptions,
  type ResultWatchParts,
} from "../../../../keepers/src/roles/consumer/result-watch.ts";
import { KeptResults } from "../../../../keepers/src/storage/client/kept-results.ts";
import { readLogs } from "../../../../keepers/src/storage/client/read-logs.ts";
import { transportRootOf, transportTreeOf } from "../../../../keepers/src/storage/client/roots.ts";
import { retrieval, windows } from "../jobs/network.ts";
import { Scene } from "../jobs/scene.ts";
import { nextEpoch } from "../jobs/take-over.ts";

/** Bundles of a result, and those that it takes to read it. */
const [n, k] = [3, 2];

/** A job whose result is stored by three holders, and committed to. */
async function committed(
  isServing: boolean,
  mostCells?: number,
  options: Pick<ResultWatchOptions, "kept" | "fetchTime"> = {},
  parity?: (bundle: Uint8Array) => Uint8Array,
) {
  const news: ResultNews[] = [];
  const scene = await Scene.start({
    results:
      mostCells === undefined
        ? undefined
        : {
            ...options,
            mostBonds: BigInt(mostCells) * retrieval.bond,
            every: 0,
            pause: 0,
            patience: 60_000,
            onNews: (each) => news.push(each),
          },
  });
  after(() => scene.close());
  scene.storage.resultHolders = await scene.holders(n);
  scene.storage.isServing = isServing;
  if (parity !== undefined) {
    const { encode } = scene.storage;
    scene.storage.encode = (stream) =>
      encode(stream).map((bundle, shard) => (shard < k ? bundle : parity(bundle)));
    scene.storage.refused.add(0);
  }
  const provider = await scene.provider();
  const described = await scene.order();
  await scene.consumer.post(described);
  await scene.until(described, "Committed", [provider]);
  // What it has sold it does not look after: it would have nodes that hold nothing.
  await provider.stop();
  const { resultId } = scene.job(described)!.result!;
  const tick = (rounds = 3) => scene.settle([], rounds);
  const { chain, client, deployment, contracts } = scene.network;
  const asked = () =>
    readLogs({ chain: client, deployment, contracts }, "RetrievalChallenges", "RetrievalChallenged", {});
  return { scene, news, described, resultId, tick, asked, advance: chain.advance.bind(chain) };
}

/** What anybody with the bundles does about a challenge. */
async function publish(
  { network, storage }: Scene,
  resultId: Hex,
  asked: { challengeId: bigint; bundleId: Hex; cellIndex: number },
) {
  const index = [0, 1, 2].find((each) => bundleId(resultId, each) === asked.bundleId)!;
  const bytes = storage.bundlesOf(resultId)[index]!;
  const cell = new Uint8Array(cellBytes);
  cell.set(bytes.subarray(asked.cellIndex * cellBytes, (asked.cellIndex + 1) * cellBytes));
  const proof = transportTreeOf(bytes)
    .proof(asked.cellIndex)
    .map((sibling) => bytesToHex(sibling));
  const args = [asked.challengeId, toHex(cell), proof] as const;
  // An estimate sees a base fee of 0, at which nothing is written for the operator.
  const call = {
    ...encodeCall(network.deployment, "RetrievalChallenges", "publish", args),
    gas: 300_000n,
  };
  await network.send(network.admin, call);
}

describe("the result of a job, to its consumer", () => {
  it("attack: is paid for although nobody is served, where its consumer does not look", async () => {
    const { scene, described, asked } = await committed(false);
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", []);
    assert.equal((await asked()).length, 0);
  });

  it("is looked at although looks at more results fail than are looked at side by side", async () => {
    const looked: Hex[] = [];
    const jobs = Array.from({ length: 5 }, (_, i) => ({
      ...{ jobId: BigInt(i), status: "Committed", checkpoints: [] },
      result: { resultId: toHex(i, { size: 32 }) },
    }));
    const contracts = {
      RetrievalChallenges: { read: { askedSince: async () => 0n, failedAt: async () => 0n } },
      DatasetRegistry: {
        read: {
          availabilityOf: async ([resultId]: [Hex]) => {
            looked.push(resultId);
            throw new Error("it is not told");
          },
        },
      },
    };
    const parts = { contracts, agreed: { contracts }, jobs: () => jobs, mostBonds: 0n };
    const watch = new ResultWatch(parts as unknown as ResultWatchParts);
    const { signal } = new AbortController();
    for (let tick = 0; tick < 2; tick++) await assert.rejects(watch.tick(signal), /it is not told/);
    await watch.tick(signal);
    assert.deepEqual(
      looked,
      jobs.map(({ result }) => result.resultId),
    );
  });

  it("is fetched once, and nothing is sent when it is served", async () => {
    const { scene, described, news, tick, asked } = await committed(true, 100);
    await tick();
    assert.deepEqual(
      news.map(({ kind }) => kind),
      ["served"],
    );
    scene.storage.isServing = false;
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", []);
    assert.equal((await asked()).length, 0);
    assert.equal(news.length, 1);
  });

  it("attack: is kept when it was served, so that nobody need serve it once it is paid for", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-kept-"));
    after(() => rm(folder, { recursive: true, force: true }));
    const results = new KeptResults(folder);
    const asked: Hex[] = [];
    const { scene, described, resultId, news } = await committed(true, 100, {
      kept: {
        stash: (id, bytes) => results.stash(id, bytes),
        manifest: async (id) => void asked.push(id),
      },
    });
    await scene.settle([], 1);
    scene.storage.isServing = false;
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", []);
    assert.equal(await results.directoryOf(resultId), folder);
    const stash = (await results.stash(resultId, 0))!;
    const roots = scene.storage.bundlesOf(resultId).map(transportRootOf);
    const isHere = await Promise.all(roots.map((root, index) => stash.has(index, root)));
    assert.equal(isHere.filter(Boolean).length, k);
    assert.deepEqual(asked, [resultId]);
    assert.match(news[0]!.text, /assay job fetch/);
  });

  it("is paid for by nobody's hand but another's while it could not be looked at in time", async () => {
    const { scene, described, news, tick, asked } = await committed(true, 100, { fetchTime: 0 });
    await tick();
    assert.deepEqual(
      news.map(({ kind }) => kind),
      ["slow"],
    );
    await scene.network.outlast(windows.challenge);
    await tick();
    assert.equal(scene.job(described)!.status, "Committed");
    assert.equal((await asked()).length, 0);
  });

  it("attack: is not paid for when its holders serve nobody and publish nothing, and its holders are slashed", async () => {
    const least = n - k + 1;
    const { scene, described, news, resultId, tick, asked, advance } = await committed(false, least);
    await tick();
    assert.deepEqual(
      news.map(({ kind, cells }) => [kind, cells]),
      [["asked", least]],
    );
    assert.equal(new Set((await asked()).map(({ args }) => args.bundleId)).size, least);
    await advance(2 * retrieval.window);
    await tick();
    await advance(retrieval.grace + 1);
    await tick();
    const { contracts, deployment, client, admin } = scene.network;
    const [isRetrievable, short] = await contracts.DatasetRegistry.read.availabilityOf([resultId]);
    assert.deepEqual([isRetrievable, short], [false, 1]);
    // The bonds are back.
    assert.equal(await contracts.RetrievalChallenges.read.creditOf([scene.owner.address]), 0n);
    await scene.network.outlast(windows.challenge);
    await tick();
    const { jobId, status } = scene.job(described)!;
    assert.equal(status, "Committed");
    const finalise = encodeCall(deployment, "JobRegistry", "finalise", [jobId]);
    await assert.rejects(client.public.call({ ...finalise, account: admin }));
    assert.notEqual(await contracts.ResultShortfalls.read.graceUntil([jobId, 0n]), 0n);
    // What came back of the bonds goes out again: to who is left.
    assert.equal(news.at(-1)!.kind, "asked");
  });

  it("attack: is asked for again of whoever takes over what nobody has published, cell for cell", async () => {
    const { scene, described, news, resultId, tick, asked, advance } = await committed(false, 60);
    const { contracts, deployment, client, admin } = scene.network;
    const friends = await scene.holders(n);
    await tick(1);
    const first = (await asked()).map(({ args }) => args);
    const taken = new Set(first.map((each) => each.bundleId));
    assert.equal(taken.size, k, "all cells of k bundles");
    await advance(2 * retrieval.window);
    await tick(1);
    await advance(retrieval.grace + 1);
    await tick(2);
    // The provider has more accounts: those that were put out are followed by others, which serve nobody either.
    await nextEpoch(scene.network);
    const epoch = await nextEpoch(scene.network);
    for (const [i, holder] of friends.entries()) {
      if (taken.has(bundleId(resultId, i))) await scene.storage.takeOver(resultId, i, holder, epoch);
    }
    assert.deepEqual((await contracts.DatasetRegistry.read.availabilityOf([resultId]))[0], true);
    await tick(2);
    assert.equal(news.at(-1)!.kind, "asked");
    const second = (await asked()).map(({ args }) => args).slice(first.length);
    assert.ok(second.some((each) => taken.has(each.bundleId)));
    await scene.network.outlast(windows.challenge);
    const finalise = encodeCall(deployment, "JobRegistry", "finalise", [scene.job(described)!.jobId]);
    await assert.rejects(client.public.call({ ...finalise, account: admin }), /ResultAskedFor/);
  });

  it("attack: is asked for elsewhere once one holder was put out, while another still has time to answer", async () => {
    const { scene, tick, asked, advance } = await committed(false, 2);
    const { contracts, deployment, admin, send } = scene.network;
    await tick(1);
    const [first, second] = (await asked()).map(({ args }) => args.challengeId) as [bigint, bigint];
    await advance(retrieval.window + 1);
    await send(admin, encodeCall(deployment, "RetrievalChallenges", "callTimeout", [first]));
    await advance(retrieval.grace + 1);
    await send(admin, encodeCall(deployment, "RetrievalChallenges", "slashFailed", [first]));
    await tick(2);
    assert.equal(await contracts.RetrievalChallenges.read.isOpen([second]), true, "its grace has just begun");
    assert.equal((await asked()).length, 3);
  });

  it("attack: is on chain whole before it is paid for, where there are bonds for that and its holders publish", async () => {
    const { scene, described, news, resultId, tick, asked } = await committed(false, 10_000);
    await tick(1);
    const bundles = scene.storage.bundlesOf(resultId);
    const cells = Math.ceil(bundles[0]!.length / cellBytes);
    const challenges = (await asked()).map(({ args }) => args);
    assert.equal(challenges.length, k * cells);
    assert.equal(news[0]!.cells, k * cells);
    for (const each of challenges.slice(1)) await publish(scene, resultId, each);
    await scene.network.outlast(windows.challenge);
    await tick(1);
    assert.equal(scene.job(described)!.status, "Committed", "one cell is still asked for");
    await publish(scene, resultId, challenges[0]!);
    await tick(1);
    assert.equal(scene.job(described)!.status, "Committed", "what was published can still convict");
    const { network } = scene;
    await network.chain.advance(retrieval.window + 1);
    const published = challenges.map(({ challengeId }) => challengeId);
    await network.send(
      network.admin,
      encodeCall(network.deployment, "RetrievalChallenges", "release", [published]),
    );
    await scene.until(described, "Finalised", []);
    assert.equal((await asked()).length, challenges.length, "nothing is asked for twice");
  });

  it("attack: is not paid for by its consumer's hand while its wrong encoding could not be shown yet", async () => {
    const parity = (bundle: Uint8Array) => randomFillSync(new Uint8Array(bundle.length));
    const { scene, described, resultId, news, tick, asked } = await committed(true, 1, {}, parity);
    const { write, access, deployment, chain } = scene.network;
    const { EncodingFraud } = deployment.addresses;
    // As if its proofs did not come through.
    await write("AccessManager", access, "revokeRole", [roles.fraudModule, EncodingFraud]);
    await tick(1);
    assert.equal(news.at(-1)!.kind, "asked");
    await publish(scene, resultId, (await asked())[0]!.args);
    await tick();
    assert.equal(news.at(-1)!.kind, "fraudulent");
    await scene.network.outlast(windows.challenge);
    await chain.advance(retrieval.window + 1);
    const released = [(await asked())[0]!.args.challengeId] as const;
    const { admin } = scene.network;
    await scene.network.send(admin, encodeCall(deployment, "RetrievalChallenges", "release", [released]));
    await scene.network.outlast(windows.challenge);
    await tick();
    assert.equal(scene.job(described)!.status, "Committed");
    await write("AccessManager", access, "grantRole", [roles.fraudModule, EncodingFraud, 0]);
    const { termsOf } = scene.network.contracts.DatasetRegistry.read;
    await scene.untilHolds("the conviction", [], async () => (await termsOf([resultId]))[0] === 2);
  });

  it("is said to be asked for no further, once, where there are no bonds for it", async () => {
    const { news, tick, asked } = await committed(false, 0);
    await tick();
    assert.equal((await asked()).length, 0);
    assert.deepEqual(
      news.map(({ kind, cells, bonds }) => [kind, cells, bonds]),
      [["spent", 0, 0n]],
    );
    assert.match(
      news[0]!.text,
      /Nothing more is asked for: 0 in bonds is the most for a result \(--max-challenge-bonds\)$/,
    );
  });

  it("is said to be asked for no further where every cell of what is refused is on chain", async () => {
    const { scene, news, resultId, tick, asked } = await committed(false, 10_000);
    let published = 0;
    // Which bundles are asked for is drawn by lot at each look.
    for (let round = 0; round < 20 && news.at(-1)?.kind !== "spent"; round++) {
      await tick(1);
      for (const { args } of (await asked()).slice(published)) await publish(scene, resultId, args);
      published = (await asked()).length;
    }
    assert.match(
      news.at(-1)!.text,
      /Nothing more is asked for: every cell of the bundles that were refused is asked for, or on chain$/,
    );
  });
});
