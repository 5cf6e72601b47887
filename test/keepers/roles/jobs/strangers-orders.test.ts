import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { orderTypedData } from "../../../../keepers/src/core/market/typed-data.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { Scene } from "./scene.ts";

const never = 2n ** 64n - 1n;

describe("orders that cost their author nothing but gas", () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.start();
  });
  after(async () => {
    await scene?.close();
  });

  /** Blocks that are asked for in one look of a keeper. */
  async function blocksPerLook(keeper: JobKeeper): Promise<number> {
    const chain = scene.network.client.public as unknown as { getBlock: (...args: unknown[]) => unknown };
    const { getBlock } = chain;
    await keeper.catchUp();
    await keeper.tick();
    let calls = 0;
    chain.getBlock = (...args) => {
      calls++;
      return getBlock(...args);
    };
    try {
      await keeper.tick();
      return calls;
    } finally {
      chain.getBlock = getBlock;
    }
  }

  it("attack: make no look of a provider longer", async () => {
    const { network } = scene;
    const { deployment } = network;
    const stranger = scene.account();
    const { order, training, package: bytes } = await scene.order();
    const domain = { chainId: deployment.chainId, market: deployment.addresses.Market };
    const keeper = await scene.provider();
    const before = await blocksPerLook(keeper);
    for (let nonce = 0n; nonce < 40n; nonce++) {
      const posted = { ...order, consumer: stranger.address, nonce, expiry: never };
      const signature = await stranger.signTypedData(orderTypedData(posted, domain));
      const call = encodeCall(deployment, "Market", "post", [posted, training, bytes, signature]);
      await network.send(stranger, call);
    }
    assert.ok((await blocksPerLook(keeper)) <= before);
  });

  it("attack: nor do auctions without a deposit, whose bids cannot be made any more and which never expire", async () => {
    const { network } = scene;
    const { deployment } = network;
    const stranger = scene.account();
    const { order, training, package: bytes } = await scene.order();
    const keeper = await scene.provider();
    const before = await blocksPerLook(keeper);
    for (let nonce = 0n; nonce < 20n; nonce++) {
      const conditions = { ...order.conditions, deposit: 0n, maximumPrice: 0n };
      const free = { ...order, consumer: stranger.address, nonce, expiry: never, conditions };
      const terms = { commitWindow: 120, revealWindow: 120, bond: 0n };
      const call = encodeCall(deployment, "Market", "openAuction", [free, training, bytes, terms]);
      await network.send(stranger, call);
    }
    await network.chain.advance(86_400);
    assert.ok((await blocksPerLook(keeper)) <= before);
  });
});
