import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { maximumPrice, Scene } from "../jobs/scene.ts";

describe("a provider that looks at orders", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** Storage in which the data of an order never arrives whole, until whoever waits gives up. */
  const withheld = (honest: ResultStorage, orderHash: () => string) => {
    const counts = { asked: 0, ended: 0 };
    const storage: ResultStorage = {
      ...honest,
      async objects(datasetId, directory, signal) {
        if (orderHash() === "" || !directory.includes(orderHash()))
          return honest.objects(datasetId, directory, signal);
        counts.asked++;
        await once(signal!, "abort");
        counts.ended++;
        throw signal!.reason;
      },
    };
    return { storage, counts };
  };

  it("attack: bids for the next while the holders of one never end their answer, and asks them once", async () => {
    const account = scene.account();
    await scene.stake(account);
    let slow = "";
    const { storage, counts } = withheld(scene.storage.of(account), () => slow);
    const keeper = await scene.openProvider(account, { storage: () => storage, patience: 500 });
    const decoy = await scene.order();
    slow = decoy.orderHash;
    await scene.consumer.post(decoy);
    await scene.settle([keeper], 2);
    assert.equal(scene.job(decoy), undefined);
    const real = await scene.order();
    await scene.consumer.post(real);
    await scene.until(real, "Training", [keeper]);
    assert.deepEqual(counts, { asked: 1, ended: 0 });
    await keeper.stop();
    assert.deepEqual(counts, { asked: 1, ended: 1 }, "a stop ends it");
  });

  it("refuses for good what could not be fetched in its time", async () => {
    const account = scene.account();
    await scene.stake(account);
    const decoy = await scene.order();
    const { storage, counts } = withheld(scene.storage.of(account), () => decoy.orderHash);
    const keeper = await scene.openProvider(account, { storage: () => storage, fetchTime: 0.2 });
    await scene.consumer.post(decoy);
    await scene.settle([keeper], 4);
    assert.equal(scene.job(decoy), undefined);
    assert.deepEqual(counts, { asked: 1, ended: 1 });
    await keeper.stop();
  });

  it("takes no order whose bond it has no coins for, until it has them", async () => {
    const account = scene.account();
    await scene.stake(account);
    const { client, contracts, admin, send } = scene.network;
    const { providerBond } = await contracts.JobRegistry.read.parameters();
    const balance = await client.public.getBalance({ address: account.address });
    await send(account, { to: admin.address, data: "0x", value: balance - providerBond + 1n });
    const keeper = await scene.openProvider(account);
    const order = await scene.order();
    await scene.consumer.post(order);
    await scene.settle([keeper], 4);
    assert.equal(scene.job(order), undefined, "a tenth of the deposit would be lost");
    await send(admin, { to: account.address, data: "0x", value: 2n * providerBond });
    await scene.until(order, "Training", [keeper]);
    await keeper.stop();
  });

  it("takes no more orders than it has room for, however many it has decided on", async () => {
    const account = scene.account();
    await scene.stake(account);
    const keeper = await scene.openProvider(account, { mostJobs: 1 });
    for (let i = 0; i < 2; i++) await scene.consumer.post(await scene.order());
    await keeper.tick();
    await keeper.catchUp();
    assert.equal(keeper.ledger.jobsOfProvider(account.address).length, 1);
    await scene.untilHolds(
      "the next, once there is room",
      [keeper],
      () => keeper.ledger.jobsOfProvider(account.address).length === 2,
    );
    await keeper.stop();
  });

  it("bids in no more auctions than it has room for, and measures one order at a time", async () => {
    const account = scene.account();
    await scene.stake(account);
    let [open, most] = [0, 0];
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, options) {
        const session = await nativeExecutor.open(program, options);
        most = Math.max(most, ++open);
        return {
          program: session.program,
          setState: (state) => session.setState(state),
          getState: () => session.getState(),
          async run(inputs) {
            // Time enough for the other order's measurement to begin.
            await delay(50);
            return session.run(inputs);
          },
          close: async () => {
            open--;
            await session.close();
          },
        };
      },
    };
    const keeper = await scene.openProvider(account, { executor, mostJobs: 1, takesOrders: false });
    const jobIds: bigint[] = [];
    for (let i = 0; i < 2; i++) {
      const terms = { commitWindow: 600, revealWindow: 600, bond: maximumPrice / 10n };
      jobIds.push(await scene.consumer.openAuction(await scene.order(), terms));
    }
    const bids = () => jobIds.filter((id) => keeper.ledger.job(id)!.auction!.bids.has(account.address));
    await keeper.tick();
    await keeper.catchUp();
    assert.equal(bids().length, 1);
    assert.equal(most, 1);
    await scene.settle([keeper], 2);
    assert.equal(bids().length, 1);
    await keeper.stop();
  });
});
