import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { encodeFunctionData, parseAbi, zeroHash } from "viem";
import { addressOf, encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { orderHash } from "../../../../keepers/src/core/market/typed-data.ts";
import { tokens, windows } from "./network.ts";
import { maximumPrice, Scene } from "./scene.ts";

const beaconAbi = parseAbi(["function deliver(uint256 requestId, bytes32 value)"]);

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

  it("before it locks goes to the next best bid; the winner loses both bonds, and nobody gains", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const winner = await scene.provider({ costs: { perHour: tokens, floor: 20n * tokens, perOpening: 0n } });
    const second = await scene.provider({ costs: { perHour: tokens, floor: 30n * tokens, perOpening: 0n } });
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([winner, second]);
    await network.chain.advance(half + 1);
    await scene.settle([winner, second]);
    await winner.stop();
    await network.chain.advance(half + 1);
    const matched = await scene.until(described, "Matched", []);
    assert.equal(matched.price, 20n * tokens);
    const locked = await network.contracts.Staking.read.operatorOf([matched.provider!]);
    // The least stake of a job.
    assert.equal(locked.locked, 100n * tokens + bond, "stake and performance bond");
    await network.chain.advance(windows.lock + 1);
    // Late, but nothing follows from it before somebody has said so and the grace is over.
    await scene.settle([second]);
    assert.equal(scene.job(described)!.provider, matched.provider);
    assert.notEqual(scene.job(described)!.graceEnds, undefined, "the consumer has called the timeout");
    await network.chain.advance(windows.grace + 1);
    const job = await scene.until(described, "Committed", [second]);
    const after = await network.contracts.Staking.read.operatorOf([matched.provider!]);
    assert.deepEqual([after.stake, after.locked], [locked.stake - bond, 0n], "burnt, and the stake is free");
    assert.equal(job.price, 30n * tokens);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [second]);
    await scene.settle([second]);
    const market = network.contracts.Market;
    assert.equal(await market.read.creditOf([scene.owner.address]), 0n);
    assert.equal(await consumerTokens(), before - 30n * tokens);
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
    await network.outlast(windows.lock);
    assert.ok(BigInt(await network.chain.now()) < described.order.expiry);
    await scene.until(described, "Cancelled", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before);
  });

  it("bids and never reveals: the grace begins, its bond is lost, and whoever revealed late in it wins", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const absent = await scene.provider({ costs: { perHour: tokens, floor: 20n * tokens, perOpening: 0n } });
    const late = await scene.provider({ costs: { perHour: tokens, floor: 30n * tokens, perOpening: 0n } });
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
    // Then it vanishes, too: the deposit is back, and the bonds are nobody's.
    await network.outlast(windows.lock);
    await scene.until(described, "Cancelled", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before);
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
    await scene.settle([]);
    assert.equal(scene.job(described)!.status, "Training", "it has a grace");
    await network.chain.advance(windows.grace + 1);
    const job = await scene.until(described, "Failed", []);
    await scene.settle([]);
    assert.equal(job.failure, `0x${Buffer.from("late").toString("hex").padEnd(64, "0")}`);
    assert.equal(await consumerTokens(), before, "who reports it gains nothing");
    const { stake, locked } = await network.contracts.Staking.read.operatorOf([account.address]);
    // A tenth of the 100 tokens that the job had locked, and a tenth of its deposit.
    assert.deepEqual([stake, locked], [980n * tokens, 0n]);
  });

  it("attack C4: after its nodes gave up the result is not paid; the consumer calls, and has its deposit back", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const before = await consumerTokens();
    const provider = await scene.provider();
    await consumer.post(described);
    const { result } = await scene.until(described, "Committed", [provider]);
    await provider.stop();
    await scene.storage.giveUp(result!.resultId, 2);
    await network.chain.advance(windows.challenge + 1);
    await scene.settle([]);
    assert.equal(scene.job(described)!.status, "Committed");
    // It could have been stored again with the seed of the next epoch.
    await network.chain.advance(Number(await network.contracts.DatasetRegistry.read.epochLength()));
    await network.send(network.admin, encodeCall(network.deployment, "StorageAudit", "openEpoch", []));
    const epoch = await network.contracts.StorageAudit.read.currentEpoch();
    const { requestId } = await network.contracts.StorageAudit.read.epochOf([epoch]);
    await network.send(network.admin, {
      to: addressOf(network.deployment, "RandomnessBeacon"),
      data: encodeFunctionData({ abi: beaconAbi, functionName: "deliver", args: [requestId, zeroHash] }),
    });
    await network.chain.advance(windows.repair + 1);
    await scene.until(described, "Failed", []);
    await scene.settle([]);
    assert.equal(await consumerTokens(), before);
  });

  it("not, when it stores again what nodes gave up: then it is paid", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const { result } = await scene.until(described, "Committed", [provider]);
    await scene.storage.giveUp(result!.resultId, 2);
    await scene.settle([provider]);
    const { held, bundles } = await network.contracts.DatasetRegistry.read.datasetOf([result!.resultId]);
    assert.equal(held, bundles);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await provider.stop();
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
