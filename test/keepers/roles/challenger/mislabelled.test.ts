import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Hex, keccak256, type LocalAccount, toHex, zeroHash } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { samplesOf } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import type { SampleOrder } from "../../../../keepers/src/core/exact/random/order.ts";
import { composeOrder } from "../../../../keepers/src/roles/consumer/compose-order.ts";
import type { DescribedOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { compilePublished } from "../../../../keepers/src/roles/jobs/published-program.ts";
import { writeResult } from "../../../../keepers/src/roles/jobs/result.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import type { DatasetSource } from "../../../../keepers/src/storage/readers/source.ts";
import { resolveRecipe } from "../../../../keepers/src/training/config/resolve.ts";
import { openLeaf } from "../../../../keepers/src/training/dispute/leaves.ts";
import { traceRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { challengerBond, providerBond, windows } from "../jobs/network.ts";
import { digitsConfig, limits, maximumPrice, Scene } from "../jobs/scene.ts";

/** The digits, one of which its owner has stored with a label that is none of the classes. */
async function mislabelled(object: number): Promise<DatasetSource> {
  const digits = await readDigits();
  return {
    ...digits,
    name: `digits but ${object}`,
    async *objects() {
      let index = 0;
      for await (const each of digits.objects()) yield index++ === object ? each.with(-1, 200) : each;
    },
  };
}

/** As the page makes it: its author types how many classes there are. */
const config = { ...digitsConfig, target: { classes: 10 } };
const noNode = () => Promise.reject(new Error("the order names no file"));

describe("a job on data of which one label is none of the classes", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** An order of a consumer that knows the dataset by its anchor and its manifest, as the page does: it has seen no label. */
  async function orderUnseen(datasetId: Hex): Promise<DescribedOrder> {
    const { network, storage, owner } = scene;
    const known = await scene.order();
    const { compiled } = await compilePublished(known, limits, noNode);
    const { objectRoot } = await network.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    return composeOrder({
      consumer: owner.address,
      datasetId,
      recipe: resolveRecipe(config, await storage.of(owner).objects(datasetId, "")),
      program: compiled.program,
      trainingOrder: { ...known.trainingOrder, datasetId, objectRoot },
      conditions: { maximumPrice, trainingTime: 3_600 },
      expiry: BigInt(await network.chain.now()) + 7_200n,
    });
  }

  /** Takes an order and commits to a trace of which no step was computed: the first state is the last one. */
  async function commitToNothing(described: DescribedOrder, account: LocalAccount): Promise<void> {
    const { network, storage } = scene;
    const { deployment, send, folder } = network;
    const { order, training, orderHash, trainingOrder } = described;
    await scene.stake(account);
    const { signature } = await scene.consumer.sign(described, false);
    const bid = {
      provider: account.address,
      order: orderHash,
      price: maximumPrice,
      ...{ compute: 1, region: 1n, regulations: 0n, privacyTier: 0 },
      nonce: 1n,
      expiry: order.expiry,
    };
    await send(account, encodeCall(deployment, "Market", "accept", [order, training, signature, bid, "0x"]));
    const jobId = await network.contracts.JobRegistry.read.jobCount();
    await send(account, encodeCall(deployment, "JobRegistry", "lock", [jobId], providerBond));
    const { compiled } = await compilePublished(described, limits, noNode);
    const { steps, interval, initialRoot } = trainingOrder;
    const last = Math.ceil(steps / interval);
    const leaves = Array.from({ length: last + 1 }, (_, leaf) => ({
      stateRoot: leaf === 0 || leaf === last ? initialRoot : keccak256(toHex(`state ${leaf}`)),
      h: leaf === 0 ? zeroHash : keccak256(toHex(`witnesses ${leaf}`)),
    }));
    const path = join(folder, `nothing-${jobId}`);
    const state = initialState(compiled.program, trainingOrder.seed);
    const written = await writeResult(path, compiled.program, state, leaves);
    const resultId = await storage.of(account).store({ folder: path, name: "nothing", directory: path });
    const commitment = {
      traceRoot: traceRootOf(leaves, trainingOrder),
      first: openLeaf(leaves, 0),
      last: openLeaf(leaves, last),
      leavesDigest: written.leavesDigest,
      resultId,
    };
    await send(account, encodeCall(deployment, "JobRegistry", "commit", [jobId, commitment]));
  }

  const samples: readonly [string, (order: SampleOrder) => number][] = [
    ["that is trained on", (order) => order.batch(17)[3]!],
    ["of the first step, on which its time is measured,", (order) => order.batch(0)[0]!],
    ["that is for validation", (order) => order.validation(0)],
  ];
  for (const [which, objectOf] of samples) {
    it(`attack: is not paid for when nothing was trained, with a sample ${which} stored so by a friend`, async () => {
      const { network, consumer, storage } = scene;
      const account = scene.account();
      const friend = scene.account();
      const object = objectOf(samplesOf((await scene.order()).trainingOrder));
      const datasetId = await storage.putObjects(friend, await mislabelled(object));
      const described = await orderUnseen(datasetId);
      await consumer.post(described);
      await commitToNothing(described, account);
      const { jobId } = await scene.until(described, "Committed", []);
      const watcher = await scene.challenger();
      await scene.settle([watcher]);
      assert.equal(watcher.ledger.challengesOf(jobId).length, 1, "whoever can compute it challenges it");
      await network.chain.advance(windows.dispute + 1);
      await scene.settle([watcher]);
      await network.chain.advance(windows.grace + 1);
      await scene.until(described, "Failed", [watcher]);
      await scene.settle([watcher]);
      const { Escrow } = network.contracts;
      assert.equal(await Escrow.read.creditOf([account.address]), 0n, "nothing is paid for nothing");
      assert.ok(challengerBond > 0n);
      await watcher.stop();
    });
  }
});
