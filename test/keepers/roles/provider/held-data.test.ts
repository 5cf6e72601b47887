import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { HeldData } from "../../../../keepers/src/roles/provider/held-data.ts";
import { windows } from "../jobs/network.ts";
import { digitsConfig, maximumPrice, Scene } from "../jobs/scene.ts";

/** Windows of an auction, in chain seconds. */
const half = 600;
const bond = maximumPrice / 10n;
const terms = { commitWindow: half, revealWindow: half, bond };

describe("the data of a job", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  const advance = (seconds: number) => scene.network.chain.advance(seconds);

  it("attack: is here before the bid, so that holders who refuse it afterwards cost nobody a bond", async () => {
    const { consumer, storage, datasetId, network } = scene;
    const account = scene.account();
    await scene.stake(account);
    const provider = await scene.openProvider(account);
    const described = await scene.order();
    await consumer.openAuction(described, terms);
    await scene.settle([provider]);
    assert.equal(scene.job(described)!.auction!.bids.size, 1);
    // From now on no holder answers, those of the consumer's friends first.
    storage.withheld.add(datasetId);
    await provider.stop();
    await advance(half + 1);
    // Not even a provider that was killed in between needs them.
    const again = await scene.openProvider(account);
    await scene.settle([again]);
    await advance(half + 1);
    await scene.until(described, "Committed", [again]);
    storage.withheld.delete(datasetId);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [again]);
    await scene.settle([again]);
    const { Market, Staking } = network.contracts;
    assert.equal(await Market.read.creditOf([scene.owner.address]), 0n);
    const { stake, locked } = await Staking.read.operatorOf([account.address]);
    assert.deepEqual([stake, locked], [1_000n * 10n ** 18n, 0n]);
    await again.stop();
  });

  it("is bid for by nobody who could not have it whole, and by everybody who can later", async () => {
    const { consumer, storage, datasetId } = scene;
    const provider = await scene.provider();
    const described = await scene.order();
    storage.withheld.add(datasetId);
    await consumer.openAuction(described, terms);
    for (let look = 0; look < 3; look++) {
      await assert.rejects(provider.tick(), /0 of the 2 bundles needed/);
      await consumer.tick();
    }
    assert.equal(scene.job(described)!.auction!.bids.size, 0);
    storage.withheld.delete(datasetId);
    await scene.untilHolds("a bid", [provider], () => scene.job(described)!.auction!.bids.size === 1);
    await provider.stop();
    // Nobody else bids for it in what follows.
    await advance(half + 1);
  });

  it("keeps a provider to what it has promised while it looks at an order that takes for ever", async () => {
    const { consumer, storage, owner } = scene;
    let isLooking = () => {};
    const looking = new Promise<void>((resolve) => {
      isLooking = resolve;
    });
    let takesLong = false;
    const provider = await scene.provider({
      mostJobs: 2,
      storage: () => ({
        ...storage.of(owner),
        async objects(id, directory, signal) {
          if (!takesLong || !directory.includes("orders")) return storage.of(owner).objects(id, directory);
          isLooking();
          return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
        },
      }),
    });
    const described = await scene.order();
    await consumer.openAuction(described, terms);
    await scene.settle([provider]);
    takesLong = true;
    await consumer.post(await scene.order({ ...digitsConfig, seed: 8 }));
    provider.run();
    await looking;
    await advance(half + 1);
    const seen = async (isSo: (job: JobRecord) => boolean) => {
      for (;;) {
        await consumer.tick();
        const job = scene.job(described);
        if (job !== undefined && isSo(job)) return;
        await delay(20);
      }
    };
    await seen(({ auction }) => [...(auction?.bids.values() ?? [])].some(({ price }) => price !== undefined));
    await advance(half + 1);
    await seen(({ status }) => status !== "Open" && status !== "Matched");
    await provider.stop();
  });
});

describe("what a provider holds of orders", () => {
  let folder: string;
  let held: HeldData;
  const hash = (i: number): Hex => `0x${i.toString(16).padStart(64, "0")}`;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-held-"));
    held = new HeldData({ folder, most: 2 });
  });

  after(() => rm(folder, { recursive: true, force: true }));

  /** Fetches an order's data, `age` seconds ago. */
  async function hold(i: number, age: number) {
    await writeFile(join(await held.begin(hash(i)), "data"), "whole");
    await held.keep(hash(i));
    const then = Date.now() / 1_000 - age;
    await utimes(join(folder, "orders", hash(i)), then, then);
  }

  it("is whole or not there at all", async () => {
    await held.begin(hash(9));
    assert.equal(await held.has(hash(9)), false);
    await held.drop(hash(9));
    await hold(9, 0);
    assert.equal(await held.has(hash(9)), true);
  });

  it("is given up when nobody needs it, and takes no more room than it may, however many orders there are", async () => {
    for (let i = 1; i <= 5; i++) await hold(i, i);
    const needs = new Map([
      [hash(4), "bound"],
      [hash(5), "none"],
      [hash(9), "none"],
    ] as const);
    await held.sweep((orderHash) => needs.get(orderHash) ?? "open");
    const kept = await Promise.all([1, 2, 3, 4, 5, 9].map((i) => held.has(hash(i))));
    assert.deepEqual(kept, [true, true, false, true, false, false], "the newest two, and what is bound");
  });

  it("becomes the folder of the job that was won, and is not put over one that is there", async () => {
    const own = join(folder, "7");
    await held.handOver(hash(1), own);
    assert.equal(await held.has(hash(1)), false);
    await held.handOver(hash(2), own);
    assert.equal(await held.has(hash(2)), true);
    await mkdir(join(folder, "8"));
    await held.handOver(hash(3), join(folder, "8"));
  });
});
