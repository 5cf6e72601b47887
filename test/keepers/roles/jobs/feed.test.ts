import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Address } from "viem";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { tokens, windows } from "./network.ts";
import { floor, Scene } from "./scene.ts";

/** Eight decimals, as Chainlink's feeds in dollars have. */
const dollar = 10n ** 8n;
const maximumAge = 3_600;
/** Per cent that the provider asks above its costs. */
const feedMargin = 4;

describe("an order that is priced by a feed", () => {
  let scene: Scene;
  let feed: Address;
  let provider: JobKeeper;

  const answer = (price: bigint) => scene.network.write("FeedDouble", feed, "updateAnswer", [price]);
  const list = (bounds: { maximumAge: number; least: bigint; most: bigint }) =>
    scene.network.write("Market", scene.network.deployment.addresses.Market, "setFeed", [feed, bounds]);
  const order = (conditions = {}) =>
    scene.order(undefined, {
      priceFeed: feed,
      maximumPrice: 100n * dollar,
      deposit: 60n * tokens,
      ...conditions,
    });

  before(async () => {
    scene = await Scene.start();
    feed = await scene.network.deploy("FeedDouble", [8, 2n * dollar]);
    await list({ maximumAge, least: dollar / 10n, most: 50n * dollar });
    provider = await scene.provider({ feedMargin });
  });
  after(() => scene?.close());

  it("is taken at costs and margin, converted as the market does it, once the feed can be believed", async () => {
    const { network, consumer } = scene;
    await network.chain.advance(maximumAge + 1);
    const described = await order();
    await consumer.post(described);
    await scene.settle([provider]);
    assert.equal(scene.job(described), undefined, "a stale feed prices nothing");
    await answer(60n * dollar);
    await scene.settle([provider]);
    assert.equal(scene.job(described), undefined, "an implausible answer prices nothing");
    await answer(3n * dollar);
    const job = await scene.until(described, "Committed", [provider]);
    // 10 tokens and 4 per cent at 3 dollars are 31.2 dollars, 10.4 tokens.
    assert.equal(job.price, (floor * 104n) / 100n);
    const opened = await network.contracts.JobRegistry.read.jobOf([job.jobId]);
    assert.equal(opened.price, job.price);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
  });

  it("is bid for at the rate that the auction fixed, without a margin, whatever the feed does later", async () => {
    const { network, consumer } = scene;
    await answer(4n * dollar);
    const described = await order();
    const terms = { commitWindow: 600, revealWindow: 600, bond: 6n * tokens };
    const jobId = await consumer.openAuction(described, terms);
    await scene.settle([provider]);
    assert.equal(scene.job(described)!.auction!.bids.size, 1);
    await answer(1n * dollar);
    await network.chain.advance(601);
    await scene.settle([provider]);
    const [bid] = await network.contracts.Market.read.bidsOf([jobId, 0n, 8n]);
    assert.deepEqual([bid?.isRevealed, bid?.price], [true, 40n * dollar]);
    await network.chain.advance(601);
    const job = await scene.until(described, "Committed", [provider]);
    assert.equal(job.price, floor);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
  });

  it("is left alone while its greatest price or its deposit does not cover the costs", async () => {
    const { consumer } = scene;
    await answer(20n * dollar);
    // 10.4 tokens are 208 dollars.
    const cheap = await order({ maximumPrice: 207n * dollar });
    await consumer.post(cheap);
    await scene.settle([provider]);
    assert.equal(scene.job(cheap), undefined);
    await answer(19n * dollar);
    await scene.until(cheap, "Committed", [provider]);
    const poor = await order({ deposit: 9n * tokens });
    await consumer.post(poor);
    await scene.settle([provider]);
    assert.equal(scene.job(poor), undefined);
  });

  it("is ignored when its feed is one that the market does not list", async () => {
    const { network, consumer } = scene;
    const own = await network.deploy("FeedDouble", [8, dollar]);
    const described = await order({ priceFeed: own });
    await consumer.post(described);
    await scene.settle([provider]);
    assert.equal(scene.job(described), undefined);
  });
});

describe("an order that is priced by a feed on a rollup", () => {
  it("is left alone while the sequencer is down, and for an hour afterwards", async () => {
    const scene = await Scene.start({ hasSequencerFeed: true });
    try {
      const { network, consumer } = scene;
      const { Market } = network.contracts;
      const uptime = await Market.read.sequencerFeed();
      const rest = Number(await Market.read.SEQUENCER_REST());
      const feed = await network.deploy("FeedDouble", [8, 2n * dollar]);
      const bounds = { maximumAge: 10 * maximumAge, least: dollar / 10n, most: 50n * dollar };
      await network.write("Market", Market.address, "setFeed", [feed, bounds]);
      const provider = await scene.provider({ feedMargin });
      const conditions = { priceFeed: feed, maximumPrice: 100n * dollar, deposit: 60n * tokens };
      // The uptime feed is as old as the market: what it says counts after an hour.
      await network.chain.advance(rest + 1);
      const described = await scene.order(undefined, conditions);
      await network.write("FeedDouble", uptime, "updateAnswer", [1n]);
      await consumer.post(described);
      await scene.settle([provider]);
      assert.equal(scene.job(described), undefined, "it is down");
      await network.write("FeedDouble", uptime, "updateAnswer", [0n]);
      await scene.settle([provider]);
      assert.equal(scene.job(described), undefined, "it has just come back");
      await network.chain.advance(rest + 1);
      const job = await scene.until(described, "Committed", [provider]);
      // 10 tokens and 4 per cent.
      assert.equal(job.price, (floor * 104n) / 100n);
    } finally {
      await scene.close();
    }
  });
});
