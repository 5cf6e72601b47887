import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { CommitteeScene, turnSeconds } from "../validator/committee-scene.ts";
import { committee, tokens, windows } from "./network.ts";
import { floor, maximumPrice, Scene, type Ticking } from "./scene.ts";

/** Seconds for which a committee that does not decide holds a job up: `JobRegistry.MAX_PENDING`. */
const mostPending = 30 * 86_400;

describe("a job whose committee cannot be had", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(1);
  });

  after(async () => {
    await stage?.close();
  });

  const committed = async () => {
    const { scene } = stage;
    const described = await stage.order(1, 1);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId, price } = await scene.until(described, "Committed", [provider]);
    return { described, provider, jobId, price: price! };
  };

  it("is attested to by the next seed when the beacon has stalled", async () => {
    const { scene, keepers } = stage;
    const { Committee } = scene.network.contracts;
    const { described, provider, jobId } = await committed();
    const { requestId } = await Committee.read.drawOf([jobId, 1n]);
    await scene.settle(keepers);
    assert.equal((await Committee.read.drawOf([jobId, 1n])).requestId, requestId, "not before its time");
    await scene.network.chain.advance(committee.exitDelay + committee.period + turnSeconds);
    await scene.settle(keepers);
    assert.notEqual((await Committee.read.drawOf([jobId, 1n])).requestId, requestId, "asked for anew");
    await stage.seed(jobId);
    await scene.until(described, "Attested", [...keepers, provider]);
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await provider.stop();
  });

  it("is committed to while the beacon refuses, and its seed asked for as soon as the beacon takes it", async () => {
    const { scene, keepers } = stage;
    const { Committee } = scene.network.contracts;
    await stage.refuseSeeds(true);
    const { described, provider, jobId } = await committed();
    await scene.settle(keepers);
    assert.equal((await Committee.read.drawOf([jobId, 1n])).requestId, 0n, "refused");
    await stage.refuseSeeds(false);
    await scene.network.chain.advance(turnSeconds);
    await scene.settle(keepers);
    assert.notEqual((await Committee.read.drawOf([jobId, 1n])).requestId, 0n, "asked for");
    await stage.seed(jobId);
    await scene.until(described, "Attested", [...keepers, provider]);
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
    await provider.stop();
  });

  it("is paid without it when neither beacon nor members are ever heard of, and the fees go back", async () => {
    const { scene } = stage;
    const { AssayToken, Escrow, Staking } = scene.network.contracts;
    const { described, provider, jobId, price } = await committed();
    const { address } = scene.owner;
    /** What it holds and can withdraw. */
    const wealth = async () =>
      (await AssayToken.read.balanceOf([address])) + (await Escrow.read.creditOf([address]));
    const left = await wealth();
    const [held, fees] = await Escrow.read.pursesOf([jobId]);
    assert.ok(held === price && fees > 0n);
    await scene.network.outlast(2 * windows.challenge);
    await scene.settle([provider]);
    assert.equal(scene.job(described)!.status, "Committed", "it may still decide");
    await scene.network.outlast(mostPending);
    const job = await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
    assert.deepEqual(await Escrow.read.pursesOf([jobId]), [0n, 0n]);
    assert.equal((await wealth()) - left, fees, "unspent");
    assert.equal(await AssayToken.read.balanceOf([job.provider!]), 100n * tokens + price);
    assert.deepEqual([job.isAttested, (await Staking.read.operatorOf([job.provider!])).locked], [false, 0n]);
    await provider.stop();
  });
});

/** An endpoint that breaks every so many connections: before the chain hears of the request, or before its answer is out. */
async function faultyEndpoint(rpcUrl: string, every: number) {
  let requests = 0;
  let faults = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const isFaulty = ++requests % every === 0;
    if (isFaulty && ++faults % 2 === 1) return void request.socket.destroy();
    const answer = await fetch(rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const answered = await answer.text();
    if (isFaulty) return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answered);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    faults: () => faults,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a job whose keepers' endpoint fails again and again", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** A keeper whose duties fail now and then goes on with the next look, as in its own loops. */
  const patient = (keeper: Ticking): Ticking => ({
    async tick() {
      await keeper.tick().catch(() => undefined);
    },
  });

  it("is bid for, trained, paid and certified once, with nothing lost", async () => {
    const { network, consumer } = scene;
    const account = scene.account();
    await scene.stake(account);
    const { chainId, rpcUrl } = network.chain;
    const endpoints = [await faultyEndpoint(rpcUrl, 7), await faultyEndpoint(rpcUrl, 11)];
    const urls = endpoints.map(({ url }) => url);
    const chain = await connectChain({ chainId, urls, requestsPerSecond: 10_000 });
    const provider = await scene.openProvider(account, { chain });
    const described = await scene.order();
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: 600, revealWindow: 600, bond });
    const keepers = [patient(provider)];
    await scene.untilHolds("the bid", keepers, () => scene.job(described)!.auction!.bids.size === 1);
    await network.chain.advance(600);
    const isOpen = () =>
      [...scene.job(described)!.auction!.bids.values()].every((bid) => bid.price !== undefined);
    await scene.untilHolds("the reveal", keepers, isOpen);
    await network.chain.advance(600);
    await scene.until(described, "Committed", keepers);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", keepers);
    const { AssayToken, Escrow, Market, Staking } = network.contracts;
    const paid = 100n * tokens + floor;
    await scene.untilHolds(
      "the pay",
      keepers,
      async () => (await AssayToken.read.balanceOf([account.address])) >= paid,
    );
    await scene.settle(keepers, 6);
    for (const { faults } of endpoints) assert.ok(faults() > 2, `${faults()} faults`);
    assert.equal(await AssayToken.read.balanceOf([account.address]), paid, "paid once");
    for (const { address } of [Escrow, Market]) assert.equal(await AssayToken.read.balanceOf([address]), 0n);
    assert.equal((await Staking.read.operatorOf([account.address])).locked, 0n);
    await provider.stop();
    for (const { close } of endpoints) close();
  });
});
