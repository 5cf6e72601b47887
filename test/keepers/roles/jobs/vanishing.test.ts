import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { orderHash } from "../../../../keepers/src/core/market/typed-data.ts";
import { tokens, windows } from "./network.ts";
import { maximumPrice, Scene } from "./scene.ts";

/** Windows of an auction, in chain seconds. */
const half = 600;

describe("a job whose provider vanishes", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  const consumerTokens = () => scene.network.contracts.AssayToken.read.balanceOf([scene.owner.address]);

  it("before it locks goes to the next best bid; the winner's bond is lost, half of it to the consumer", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const winner = await scene.provider({ costs: { perHour: tokens, floor: 20n * tokens } });
    const second = await scene.provider({ costs: { perHour: tokens, floor: 30n * tokens } });
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([winner, second]);
    await network.chain.advance(half + 1);
    await scene.settle([winner, second]);
    await winner.stop();
    await network.chain.advance(half + 1);
    const matched = await scene.until(described, "Matched", []);
    assert.equal(matched.price, 20n * tokens);
    await network.chain.advance(windows.lock + 1);
    const job = await scene.until(described, "Committed", [second]);
    assert.equal(job.price, 30n * tokens);
    await network.chain.advance(windows.challenge + 1);
    await scene.until(described, "Finalised", [second]);
    await scene.settle([second]);
    const market = network.contracts.Market;
    assert.equal(await market.read.creditOf([scene.owner.address]), 0n);
    assert.equal(await consumerTokens(), before - 30n * tokens + bond / 2n);
    await second.stop();
  });

  it("before it locks an order that it took directly gives the deposit back without waiting for the expiry", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const provider = await scene.provider();
    await consumer.post(described);
    await scene.until(described, "Matched", [provider]);
    await provider.stop();
    await network.chain.advance(windows.lock + 1);
    assert.ok(BigInt(await network.chain.now()) < described.order.expiry);
    await scene.until(described, "Cancelled", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before);
  });

  it("bids and never reveals: the grace begins, its bond is lost, and whoever revealed late in it wins", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const absent = await scene.provider({ costs: { perHour: tokens, floor: 20n * tokens } });
    const late = await scene.provider({ costs: { perHour: tokens, floor: 30n * tokens } });
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([absent, late]);
    await absent.stop();
    // Neither can send anything until long after the window: the sequencer is down.
    await network.chain.advance(4 * half);
    await scene.settle([]);
    assert.ok(scene.job(described)!.auction!.graceEnds !== undefined, "the consumer has called the timeout");
    await scene.settle([late]);
    await network.chain.advance(windows.grace + 1);
    const job = await scene.until(described, "Matched", [late]);
    assert.equal(job.price, 30n * tokens);
    await late.stop();
    // Then it vanishes, too: half of both bonds is the consumer's, with all of the deposit.
    await network.chain.advance(windows.lock + 1);
    await scene.until(described, "Cancelled", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before + bond);
  });

  it("in training ends by the deadline: all is refunded, and part of the stake is gone", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    // Its results cannot be stored, so that it never commits.
    const account = scene.account();
    await scene.stake(account);
    const storage = {
      ...scene.storage.of(account),
      store: () => Promise.reject(new Error("there are no storage nodes")),
    };
    const provider = await scene.openProvider(account, { storage: () => storage });
    await consumer.post(described);
    await assert.rejects(scene.until(described, "Committed", [provider]), /no storage nodes/);
    await provider.stop();
    await network.chain.advance(3_601);
    const job = await scene.until(described, "Failed", []);
    await scene.settle([]);
    assert.equal(job.failure, `0x${Buffer.from("late").toString("hex").padEnd(64, "0")}`);
    const [, share] = await network.contracts.Staking.read.parameters();
    // The consumer reported it: part of what was slashed is its reward.
    assert.equal(await consumerTokens(), before + (10n * tokens * BigInt(share)) / 10_000n);
    const { stake, locked } = await network.contracts.Staking.read.operatorOf([account.address]);
    // A tenth of the 100 tokens that the job had locked.
    assert.deepEqual([stake, locked], [990n * tokens, 0n]);
  });

  it("never was there: an auction without bids is closed, and the deposit comes back", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    assert.equal(await consumerTokens(), before - maximumPrice);
    await network.chain.advance(2 * half + 2);
    await scene.until(described, "Cancelled", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before);
  });

  it("is not taken once its order was cancelled, or its consumer has spent the deposit", async () => {
    const { consumer, network, owner } = scene;
    const provider = await scene.provider();
    const cancelled = await scene.order();
    await consumer.post(cancelled);
    await consumer.cancel(cancelled.order.nonce);
    const unpaid = await scene.order();
    await consumer.post(unpaid);
    const { addresses } = network.deployment;
    const taken = encodeCall(network.deployment, "AssayToken", "approve", [addresses.Escrow, 0n]);
    await network.send(owner, taken);
    await scene.settle([provider]);
    assert.equal(scene.job(cancelled), undefined);
    assert.equal(scene.job(unpaid), undefined);
  });

  it("is not bid for when the order asks for what the provider is not", async () => {
    const { consumer, network } = scene;
    const provider = await scene.provider({
      abilities: { compute: 1, region: 0b10n, regulations: 0n, privacyTier: 0 },
    });
    const described = await scene.order();
    const conditions = { ...described.order.conditions, regions: 0b01n };
    const elsewhere = { ...described.order, conditions };
    const bond = maximumPrice / 10n;
    const order = { ...described, order: elsewhere, orderHash: orderHash(elsewhere) };
    await consumer.openAuction(order, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([provider]);
    assert.equal(scene.job(order)!.auction!.bids.size, 0);
    await network.chain.advance(2 * half + 2);
    await scene.until(order, "Cancelled", []);
  });
});
