import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bidTypedData } from "../../../../keepers/src/core/market/typed-data.ts";
import type { Bid } from "../../../../keepers/src/core/market/types.ts";
import { evaluateModel, fetchModel } from "../../../../keepers/src/roles/consumer/fetch-model.ts";
import { sentTransactions } from "../../../../keepers/src/roles/embedded/sent-transactions.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { NotEnoughBundlesError } from "../../../../keepers/src/storage/client/errors.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { tokens, windows } from "./network.ts";
import { cheat, floor, limits, maximumPrice, Scene } from "./scene.ts";

describe("a job on a chain", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("is posted, taken, trained, committed to, finalised, paid and certified", async () => {
    const { network, consumer, storage, owner } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    await scene.until(described, "Committed", [provider]);
    await network.outlast(windows.challenge);
    const job = await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
    assert.equal(job.price, floor);
    const { AssayToken, Escrow, ModelCertificate, Staking } = network.contracts;
    assert.equal(await AssayToken.read.balanceOf([job.provider!]), 100n * tokens + floor);
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), 0n);
    assert.equal((await Staking.read.operatorOf([job.provider!])).locked, 0n);

    const certificate = await ModelCertificate.read.certificateOf([job.certificateId!]);
    assert.equal(certificate.stateRoot, job.result!.stateRoot);
    const parameters = {
      posted: consumer.ledger.order(described.orderHash)!,
      job,
      certificate,
      storage: storage.of(owner),
      executor: nativeExecutor,
      limits,
      folder: join(network.folder, "model"),
    };
    const model = await fetchModel(parameters);
    // Files take a manifest, which nobody can be made to give; the state is also what the bundles begin with.
    const withheld = {
      ...parameters.storage,
      folder: () => Promise.reject(new NotEnoughBundlesError(0, 0, 2, [])),
    };
    assert.deepEqual((await fetchModel({ ...parameters, storage: withheld })).state, model.state);
    const score = await evaluateModel(parameters, model);
    assert.ok(score!.exact.accuracy! > 0.5, `accuracy ${score!.exact.accuracy}`);
    assert.equal(score!.float32.samples, score!.exact.samples);
    await provider.stop();
  });

  it("goes to the lowest of three sealed bids; the other two get their bonds back", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const providers: JobKeeper[] = [];
    for (const each of [14n, 11n, 12n]) {
      providers.push(
        await scene.provider({ costs: { perHour: tokens, floor: each * tokens, perOpening: 0n } }),
      );
    }
    const bond = maximumPrice / 10n;
    const jobId = await consumer.openAuction(described, { commitWindow: 600, revealWindow: 600, bond });
    await scene.settle(providers);
    assert.equal(scene.job(described)!.auction!.bids.size, 3);
    for (const { price } of scene.job(described)!.auction!.bids.values()) assert.equal(price, undefined);
    await network.chain.advance(601);
    await scene.settle(providers);
    await network.chain.advance(601);
    const job = await scene.until(described, "Committed", providers);
    assert.equal(job.jobId, jobId);
    assert.equal(job.price, 11n * tokens);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", providers);
    await scene.settle(providers);
    const { AssayToken, Market } = network.contracts;
    const bids = [...scene.job(described)!.auction!.bids.values()];
    assert.ok(bids.every(({ isSettled }) => isSettled));
    assert.equal(await AssayToken.read.balanceOf([Market.address]), 0n);
    for (const { provider, price } of bids) {
      const earned = price === 11n * tokens ? 100n * tokens + price : 100n * tokens;
      assert.equal(await AssayToken.read.balanceOf([provider]), earned);
    }
  });

  it("is given to a bid that its provider has signed, and to nobody else who saw the order", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const account = scene.account();
    await scene.stake(account);
    const bid: Bid = {
      provider: account.address,
      order: described.orderHash,
      price: 33n * tokens,
      compute: 0,
      region: 0n,
      regulations: 0n,
      privacyTier: 0,
      nonce: 5n,
      expiry: described.order.expiry,
    };
    const { chainId, addresses } = network.deployment;
    const signature = await account.signTypedData(bidTypedData(bid, { chainId, market: addresses.Market }));
    const bystander = await scene.provider();
    const provider = await scene.openProvider(account, { takesOrders: false });
    const jobId = await consumer.accept(described, bid, signature);
    assert.equal(await consumer.accept(described, bid, signature), jobId);
    const job = await scene.until(described, "Committed", [bystander, provider]);
    assert.deepEqual([job.jobId, job.provider, job.price], [jobId, account.address, bid.price]);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
    await provider.stop();
    await bystander.stop();
  });

  it("is challenged, disputed and refunded when the provider flips one bit of one weight", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    const account = scene.account();
    const watcher = await scene.challenger(account);
    const coins = await network.chain.balanceOf(account.address);
    await consumer.post(described);
    const job = await scene.until(described, "Failed", [cheater, watcher]);
    await scene.settle([watcher]);
    const [challenge] = watcher.ledger.challengesOf(job.jobId);
    assert.equal(challenge?.interval, 4n);
    assert.equal(challenge?.outcome, "convicted");
    const { client, deployment } = network;
    const sent = await sentTransactions(client, deployment, {
      senders: new Map([[account.address, "watcher"]]),
      fromBlock: deployment.startBlock,
    });
    const calls = sent.map(({ call }) => call);
    const ruling = calls.findLastIndex((call) => call.startsWith("DisputeGame.play"));
    assert.equal(calls[ruling + 1], "JobRegistry.settle", "right after the ruling");
    const { AssayToken, Escrow, Staking } = network.contracts;
    const { stake, locked } = await Staking.read.operatorOf([job.provider!]);
    assert.deepEqual([stake, locked], [900n * tokens, 0n]);
    await network.chain.advance(windows.dispute + 1);
    await scene.untilHolds("the reward", [watcher], () => watcher.ledger.isRewarded(job.jobId));
    await scene.settle([watcher, cheater]);
    assert.ok((await network.chain.balanceOf(account.address)) > coins, "the challenger gains");
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), 0n);
  });
});
