import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Address,
  getAddress,
  type Hex,
  hashTypedData,
  isAddressEqual,
  type LocalAccount,
  parseEventLogs,
} from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import type { SignedBid, SignedOrder } from "../../../../keepers/src/core/market/messages.ts";
import { bidTypedData, orderHash, orderTypedData } from "../../../../keepers/src/core/market/typed-data.ts";
import type { Bid } from "../../../../keepers/src/core/market/types.ts";
import { Consumer } from "../../../../keepers/src/roles/consumer/consumer.ts";
import { permitVersion, signPermit } from "../../../../keepers/src/storage/client/permit.ts";
import { tokens, windows } from "../jobs/network.ts";
import { maximumPrice, Scene } from "../jobs/scene.ts";

const price = 33n * tokens;

/** What a scene needs to bring signed messages together. */
class Desk {
  readonly scene: Scene;
  readonly provider: LocalAccount;

  private constructor(scene: Scene, provider: LocalAccount) {
    this.scene = scene;
    this.provider = provider;
  }

  static async open(scene: Scene): Promise<Desk> {
    const provider = scene.account();
    await scene.stake(provider);
    return new Desk(scene, provider);
  }

  get domain() {
    const { chainId, addresses } = this.scene.network.deployment;
    return { chainId, market: addresses.Market };
  }

  async order(isFunded = false): Promise<SignedOrder> {
    return this.scene.consumer.sign(await this.scene.order(), isFunded);
  }

  async bid(signed: SignedOrder, changes: Partial<Bid> = {}, by = this.provider): Promise<SignedBid> {
    const bid: Bid = {
      provider: by.address,
      order: orderHash(signed.order),
      price,
      compute: 0,
      region: 0n,
      regulations: 0n,
      privacyTier: 0,
      nonce: BigInt(Math.floor(Math.random() * 2 ** 50)),
      expiry: signed.order.expiry,
      ...changes,
    };
    return { ...this.domain, bid, signature: await by.signTypedData(bidTypedData(bid, this.domain)) };
  }

  /** A keeper of somebody who has neither ordered nor bid. */
  async stranger(): Promise<Consumer> {
    const { network } = this.scene;
    const account = this.scene.account();
    const consumer = await Consumer.open({
      dataDirectory: `${network.folder}/${account.address}`,
      account,
      chain: network.client,
      deployment: network.deployment,
      log: (await import("pino")).pino({ level: "silent" }),
      interval: 20,
    });
    return consumer;
  }

  /** Approvals of tokens by a transaction of their own, or none. */
  async approvals(owner: Address): Promise<number> {
    const { client, deployment } = this.scene.network;
    const { AssayToken } = deployment.addresses;
    const logs = await client.public.getLogs({ address: AssayToken, fromBlock: 0n });
    const approved = parseEventLogs({ abi: abis.AssayToken, eventName: "Approval", logs });
    let own = 0;
    for (const { args, transactionHash } of approved) {
      const isMeant =
        isAddressEqual(args.owner, owner) && isAddressEqual(args.spender, deployment.addresses.Escrow);
      if (!isMeant) continue;
      const { to } = await client.public.getTransaction({ hash: transactionHash });
      if (isAddressEqual(to!, AssayToken)) own++;
    }
    return own;
  }
}

describe("a signed order and a signed bid", () => {
  let scene: Scene;
  let desk: Desk;

  before(async () => {
    scene = await Scene.start();
    desk = await Desk.open(scene);
  });
  after(() => scene?.close());

  it("meet in one transaction that carries the permit; the same call again finds the job", async () => {
    const { consumer, owner, network } = scene;
    const { AssayToken, Escrow } = network.contracts;
    const approvals = await desk.approvals(owner.address);
    const order = await desk.order();
    const bid = await desk.bid(order);
    const jobId = await consumer.bringTogether(order, bid);
    assert.equal(await desk.approvals(owner.address), approvals, "no approval of its own");
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), maximumPrice);
    assert.equal(await AssayToken.read.allowance([owner.address, Escrow.address]), 0n, "not a unit more");
    assert.equal(await consumer.bringTogether(order, bid), jobId);
    assert.equal((await network.contracts.JobRegistry.read.jobOf([jobId])).provider, desk.provider.address);
    await network.outlast(windows.lock + 7_200);
    await scene.untilHolds("the refund", [], () => consumer.ledger.job(jobId)!.status === "Cancelled");
    await scene.settle([]);
  });

  it("meet although somebody has submitted the permit before", async () => {
    const { owner, network, consumer } = scene;
    const order = await desk.order();
    const bid = await desk.bid(order);
    const parts = {
      account: owner,
      contracts: network.contracts,
      chain: network.client,
      deployment: network.deployment,
    };
    const { Escrow } = network.deployment.addresses;
    const { deadline, v, r, s } = await signPermit(parts, Escrow, maximumPrice);
    const permit = [owner.address, Escrow, maximumPrice, deadline, v, r, s] as const;
    await network.send(network.admin, encodeCall(network.deployment, "AssayToken", "permit", permit));
    const args = [
      order.order,
      order.training,
      bid.bid,
      bid.signature,
      maximumPrice,
      deadline,
      v,
      r,
      s,
    ] as const;
    const shown = [order.order, order.training, order.package, order.signature] as const;
    await network.send(owner, encodeCall(network.deployment, "Market", "post", shown));
    await network.send(owner, encodeCall(network.deployment, "Market", "acceptWithPermit", args));
    await consumer.catchUp();
    assert.ok(consumer.jobOf(orderHash(order.order)));
  });

  it("are brought together by a stranger once the consumer lets the escrow pull, and not before", async () => {
    const stranger = await desk.stranger();
    const order = await desk.order();
    const bid = await desk.bid(order);
    await assert.rejects(stranger.bringTogether(order, bid), /lets the escrow take 0/);
    const funded = await desk.order(true);
    const jobId = await stranger.bringTogether(funded, await desk.bid(funded));
    const job = await scene.network.contracts.JobRegistry.read.jobOf([jobId]);
    assert.deepEqual([job.consumer, job.provider], [scene.owner.address, desk.provider.address]);
    await stranger.stop();
  });

  it("meet when a wallet that is a contract stands by the order (ERC-1271), and only then", async () => {
    const { network } = scene;
    const wallet = getAddress(await network.deploy("Wallet"));
    await network.give(wallet, maximumPrice);
    const own = await desk.order();
    const order = { ...own.order, consumer: wallet };
    const signed = { ...own, order, signature: "0x1234" as Hex };
    const bid = await desk.bid(signed);
    const stranger = await desk.stranger();
    await assert.rejects(stranger.bringTogether(signed, bid), /not signed by its consumer/);
    const digest = hashTypedData(orderTypedData(order, desk.domain));
    await network.write("Wallet", wallet, "approve", [digest, true]);
    const { AssayToken, Escrow } = network.deployment.addresses;
    const { data } = encodeCall(network.deployment, "AssayToken", "approve", [Escrow, maximumPrice]);
    await network.write("Wallet", wallet, "act", [AssayToken, data]);
    const jobId = await stranger.bringTogether(signed, bid);
    assert.equal((await network.contracts.JobRegistry.read.jobOf([jobId])).consumer, wallet);
    await stranger.stop();
  });

  it("do not meet for what is wrong with either, and nothing is sent", async () => {
    const { consumer, network, owner } = scene;
    const order = await desk.order();
    const bid = await desk.bid(order);
    const other = scene.account();
    const now = BigInt(await network.chain.now());
    const elsewhere = { ...order, market: other.address };
    const mirrored = mirror(bid.signature);
    const cases: [string, SignedOrder, SignedBid, RegExp][] = [
      [
        "signed by another",
        { ...order, signature: bid.signature },
        bid,
        /order is not signed by its consumer/,
      ],
      [
        "altered after signing",
        { ...order, order: { ...order.order, expiry: order.order.expiry + 1n } },
        bid,
        /order is not signed/,
      ],
      ["bid signed by another", order, { ...bid, signature: order.signature }, /bid is not signed/],
      ["mirror image of a signature", order, { ...bid, signature: mirrored }, /bid is not signed/],
      ["of another market", elsewhere, bid, /order is for the market/],
      ["bid for another chain", order, { ...bid, chainId: 1 }, /bid is for the market .* on chain 1/],
      ["bid for another order", order, await desk.bid(await desk.order()), /for another order/],
      ["too dear", order, await desk.bid(order, { price: maximumPrice + 1n }), /asks for more/],
      ["expired bid", order, await desk.bid(order, { expiry: now - 1n }), /has expired/],
      ["no provider", order, await desk.bid(order, {}, other), /no provider that lets the registry lock/],
    ];
    const sent = await network.client.public.getTransactionCount({ address: owner.address });
    for (const [what, o, b, expected] of cases) {
      await assert.rejects(consumer.bringTogether(o, b), expected, what);
    }
    assert.equal(await network.client.public.getTransactionCount({ address: owner.address }), sent);
  });

  it("do not meet twice, and not after either was cancelled", async () => {
    const { consumer, network } = scene;
    const cancelled = await desk.order();
    await consumer.cancel(cancelled.order.nonce);
    await assert.rejects(consumer.bringTogether(cancelled, await desk.bid(cancelled)), /cancelled/);
    const order = await desk.order();
    const withdrawn = await desk.bid(order);
    const cancel = encodeCall(network.deployment, "Market", "cancelNonce", [withdrawn.bid.nonce]);
    await network.send(desk.provider, cancel);
    await assert.rejects(consumer.bringTogether(order, withdrawn), /bid was taken already, or .* cancelled/);
    const bid = await desk.bid(order);
    const jobId = await consumer.bringTogether(order, bid);
    // The same two files in other hands open nothing anew.
    const stranger = await desk.stranger();
    assert.equal(await stranger.bringTogether(order, bid), jobId);
    const args = [order.order, order.training, order.signature, bid.bid, bid.signature] as const;
    await assert.rejects(
      network.send(scene.account(), encodeCall(network.deployment, "Market", "accept", args)),
      /NonceUsed/,
    );
    await stranger.stop();
  });

  it("leave what other orders that are out need of the allowance", async () => {
    const { consumer, owner, network } = scene;
    const { AssayToken, Escrow } = network.contracts;
    const allowance = () => AssayToken.read.allowance([owner.address, Escrow.address]);
    await consumer.post(await scene.order());
    await consumer.catchUp();
    const one = await allowance();
    await consumer.post(await scene.order());
    await consumer.catchUp();
    assert.equal(await allowance(), one + maximumPrice);
    const order = await desk.order();
    await consumer.bringTogether(order, await desk.bid(order));
    assert.equal(await allowance(), one + maximumPrice, "the permit covered the third besides");
  });

  it("meet after an approval where the token takes no permits", async () => {
    const plain = await Scene.start({ permits: false });
    try {
      const own = await Desk.open(plain);
      const { contracts, client, deployment } = plain.network;
      const parts = { account: plain.owner, contracts, chain: client, deployment };
      assert.equal(await permitVersion(parts), undefined);
      const order = await own.order();
      const jobId = await plain.consumer.bringTogether(order, await own.bid(order));
      assert.equal((await contracts.JobRegistry.read.jobOf([jobId])).consumer, plain.owner.address);
      assert.equal(await own.approvals(plain.owner.address), 1);
    } finally {
      await plain.close();
    }
  });
});

/** The other signature of the same message by the same key: n − s, and the other parity. */
function mirror(signature: Hex): Hex {
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = n - BigInt(`0x${signature.slice(66, 130)}`);
  const v = signature.endsWith("1b") ? "1c" : "1b";
  return `${signature.slice(0, 66) as Hex}${s.toString(16).padStart(64, "0")}${v}`;
}
