import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { tokens, windows } from "../jobs/network.ts";
import { maximumPrice, Scene } from "../jobs/scene.ts";

const half = 600;

describe("a provider whose bid has lost, or whose stake is promised", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** Capacity for one job at a price of 30 tokens: 60 for the result, and a tenth of a deposit of 100. */
  const capacity = 130n * tokens;
  const purse = 100n * tokens;

  it("attack: loses no bond when the winner walks after it has taken other work", async () => {
    const { network, consumer } = scene;
    const { Market, AssayToken } = network.contracts;
    const account = scene.account();
    await network.stake(account, capacity);
    await network.give(account.address, purse);
    const victim = await scene.openProvider(account, {
      costs: { perHour: tokens, floor: 30n * tokens, perOpening: 0n },
    });
    const friend = await scene.provider({
      costs: { perHour: tokens, floor: 20n * tokens, perOpening: 0n },
      takesOrders: false,
    });
    const decoy = await scene.order();
    await consumer.openAuction(decoy, { commitWindow: half, revealWindow: half, bond: maximumPrice / 10n });
    await scene.settle([friend, victim]);
    await network.chain.advance(half + 1);
    await scene.settle([friend, victim]);
    await friend.stop();
    await network.chain.advance(half + 1);
    await scene.until(decoy, "Matched", []);
    const bid = () => scene.job(decoy)!.auction!.bids.get(account.address)!;
    assert.equal(bid().isSettled, false, "it stays in line while there is no other work");

    const other = await scene.order();
    await consumer.post(other);
    await scene.until(other, "Committed", [victim]);
    assert.equal(scene.job(other)!.provider, account.address);
    await network.chain.advance(windows.lock + 1);
    await scene.settle([victim]);
    await network.chain.advance(windows.grace + 1);
    await scene.settle([victim], 6);
    await victim.stop();
    const credit = await Market.read.creditOf([account.address]);
    assert.equal(credit + (await AssayToken.read.balanceOf([account.address])), purse);
  });

  it("attack: bids in one auction of two when its stake is enough for one", async () => {
    const { network, consumer } = scene;
    const { Market, Staking } = network.contracts;
    const account = scene.account();
    await network.stake(account, capacity);
    await network.give(account.address, purse);
    const victim = await scene.openProvider(account, { mostJobs: 2, takesOrders: false });
    const sink = "0x000000000000000000000000000000000000dEaD";
    const burnt = await Market.read.creditOf([sink]);
    const orders = [await scene.order(), await scene.order()];
    for (const order of orders)
      await consumer.openAuction(order, { commitWindow: half, revealWindow: half, bond: maximumPrice / 10n });
    await scene.settle([victim], 3);
    const bids = orders.filter((order) => scene.job(order)!.auction!.bids.has(account.address));
    assert.equal(bids.length, 1);
    await network.chain.advance(half + 1);
    await scene.settle([victim], 2);
    await network.chain.advance(half + 1);
    await scene.settle([victim], 6);
    await network.chain.advance(windows.lock + 1);
    await scene.settle([victim], 2);
    await network.chain.advance(windows.grace + 1);
    await scene.settle([victim], 4);
    await victim.stop();
    assert.equal((await Staking.read.operatorOf([account.address])).stake, capacity);
    assert.equal(await Market.read.creditOf([sink]), burnt);
  });

  it("attack: does not bid where the bond is larger than the price that it asks for", async () => {
    const { network, consumer } = scene;
    const account = scene.account();
    await network.stake(account, capacity);
    await network.give(account.address, purse);
    const victim = await scene.openProvider(account, {
      costs: { perHour: tokens, floor: 30n * tokens, perOpening: 0n },
    });
    const order = await scene.order();
    await consumer.openAuction(order, { commitWindow: half, revealWindow: half, bond: 90n * tokens });
    await scene.settle([victim], 3);
    await victim.stop();
    assert.equal(scene.job(order)!.auction!.bids.size, 0);
  });
});
