import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { after, describe, it } from "node:test";
import { bytesToHex, type Hex, toHex } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { cellOf } from "../../../../keepers/src/core/merkle/cell.ts";
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

/** A job that was trained rightly, whose result is anchored with random bytes in the place of its parity. */
async function committed(options: { readonly watches: boolean }) {
  const news: ResultNews[] = [];
  const scene = await Scene.start({
    results: options.watches
      ? {
          mostBonds: 10_000n * retrieval.bond,
          ...{ every: 0, pause: 0, patience: 60_000 },
          onNews: (each) => news.push(each),
        }
      : undefined,
  });
  after(() => scene.close());
  scene.storage.encode = (stream) =>
    bundlesOfObject(stream, k, n).map((bundle, shard) =>
      shard < k ? bundle : randomFillSync(new Uint8Array(bundle.length)),
    );
  scene.storage.resultHolders = await scene.holders(n);
  scene.storage.refused.add(0);
  const provider = await scene.provider();
  const described = await scene.order();
  await scene.consumer.post(described);
  await scene.until(described, "Committed", [provider]);
  await provider.stop();
  const { resultId } = scene.job(described)!.result!;
  return { scene, news, described, resultId };
}

/** The holder of the data bundle publishes the cells that it is asked for. */
async function publish({ network, storage }: Scene, resultId: Hex): Promise<void> {
  const { client: chain, deployment, contracts } = network;
  const asked = await readLogs(
    { chain, deployment, contracts },
    "RetrievalChallenges",
    "RetrievalChallenged",
    {
      bundleId: bundleId(resultId, 0),
    },
  );
  const bytes = storage.bundlesOf(resultId)[0]!;
  const tree = transportTreeOf(bytes);
  for (const { args } of asked) {
    const path = tree.proof(args.cellIndex).map((sibling) => bytesToHex(sibling));
    const call = [args.challengeId, toHex(cellOf(bytes, args.cellIndex)), path] as const;
    // An estimate sees a base fee of 0, at which nothing is written for the operator.
    const made = { ...encodeCall(deployment, "RetrievalChallenges", "publish", call), gas: 300_000n };
    await network.send(network.admin, made);
  }
}

/** The provider has nothing of it, and loses the stake of the job. */
async function fails({ scene, described, resultId }: Awaited<ReturnType<typeof committed>>) {
  const { contracts, deployment, client, admin } = scene.network;
  assert.equal((await contracts.DatasetRegistry.read.termsOf([resultId]))[0], 2, "it is fraudulent");
  await scene.network.outlast(windows.challenge);
  const { jobId } = scene.job(described)!;
  const finalise = encodeCall(deployment, "JobRegistry", "finalise", [jobId]);
  await assert.rejects(client.public.call({ ...finalise, account: admin }));
  const janitor = await scene.janitor();
  await scene.settle([janitor], 2);
  assert.notEqual(await contracts.ResultShortfalls.read.graceUntil([jobId, 0n]), 0n);
  await scene.network.chain.advance(windows.repair + 1);
  await scene.until(described, "Failed", [janitor]);
}

describe("a right result that is stored with random bytes as parity", () => {
  it("attack: is not paid for: its consumer asks for the data bundle that is kept back, and what is published convicts", async () => {
    const made = await committed({ watches: true });
    const { scene, news, resultId } = made;
    await scene.settle([], 2);
    assert.deepEqual(
      news.map(({ kind }) => kind),
      ["asked"],
      "what is served is not enough",
    );
    assert.match(news[0]!.text, /for want of data bundles that the others do not give/);
    await publish(scene, resultId);
    await scene.settle([], 3);
    assert.equal(news.at(-1)!.kind, "fraudulent");
    await fails(made);
  });

  it("attack: is shown to the contracts by a challenger that has recomputed it and cannot read it", async () => {
    const made = await committed({ watches: false });
    const { scene, resultId } = made;
    const { network, storage } = scene;
    const { client: chain, deployment, contracts } = network;
    const client = { chain, deployment, contracts, peers: storage.peers } as unknown as StorageClient;
    const { manifest, tree } = await readAnchoredRoots(client, await readAnchor(client, resultId));
    const asked = [
      bundleId(resultId, 0),
      1,
      manifest.bundles[0]!.transportRoot as Hex,
      tree.proof(0),
    ] as const;
    await network.send(network.admin, {
      ...encodeCall(deployment, "RetrievalChallenges", "challenge", asked),
      value: retrieval.bond,
    });
    await publish(scene, resultId);
    const account = scene.account();
    const reading: JobStorage = {
      ...storage.of(account),
      folder: async () => {
        throw new NotEnoughBundlesError(0, 0, k, []);
      },
      stream: (parameters) => readStream(client, parameters),
    };
    const challenger = await scene.challenger(account, { storage: reading });
    await scene.untilHolds("the conviction", [challenger], async () => {
      return (await contracts.DatasetRegistry.read.termsOf([resultId]))[0] === 2;
    });
    await fails(made);
  });
});
