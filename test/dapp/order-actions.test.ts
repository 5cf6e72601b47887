import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, decodeFunctionData, type Hex } from "viem";
import type { Action } from "../../dapp/src/act/steps.ts";
import { auctionAction, postAction } from "../../dapp/src/order/order-actions.ts";
import { cancelAction, openOrders, type PostedOrder, promisedBy } from "../../dapp/src/order/posted.ts";
import { abis } from "../../keepers/src/chain/abi/index.ts";
import type { Contracts } from "../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../keepers/src/chain/deployment-format.ts";
import { describeForm } from "./support/described.ts";

const account: Address = `0x${"c3".repeat(20)}`;
const addresses = {
  Escrow: `0x${"e5".repeat(20)}`,
  AssayToken: `0x${"70".repeat(20)}`,
  Market: `0x${"3a".repeat(20)}`,
};
const deployment = { chainId: 31_337, startBlock: 0n, addresses } as unknown as Deployment;
const [first, second, third] = [100n, 60n, 30n];

/** What the token and the market say of one account. */
class Chain {
  allowance = 0n;
  readonly used = new Set<bigint>();
  readonly contracts = {
    AssayToken: { read: { allowance: async () => this.allowance } },
    Market: { read: { isNonceUsed: async ([, nonce]: [Address, bigint]) => this.used.has(nonce) } },
    // Twice the fee for each member and interval.
    Committee: {
      read: {
        feesFor: async ([intervals, size, fee]: [bigint, number, bigint]) =>
          2n * intervals * BigInt(size) * fee,
      },
    },
  } as unknown as Contracts;

  /** Sends the approval of an action; says how much it is for, or that there is none. */
  async approve({ steps }: Action): Promise<bigint | undefined> {
    const step = steps.find(({ title }) => title === "Let the escrow take what it costs");
    if (step?.kind !== "send") return undefined;
    const { functionName, args } = decodeFunctionData({
      abi: abis.AssayToken,
      data: (await step.call()).data,
    });
    assert.equal(functionName, "approve");
    this.allowance = args![1] as bigint;
    return this.allowance;
  }

  parts(cost: bigint, promised: bigint) {
    const described = describeForm({ committee: "0" });
    return { contracts: this.contracts, deployment, account, described, cost, promised, done: () => {} };
  }
}

const posted = (id: Hex, more: Partial<PostedOrder> = {}): PostedOrder => ({
  ...{ id, deposit: "100", expiry: "2000", createdAt: "1", datasetId: "0x", nonce: "7" },
  ...{ committeeSize: 0, checkFee: "0", training: describeForm({}).training, jobs: [] },
  ...more,
});

describe("what the escrow may take", () => {
  it("is enough for every order that waits for a provider, and for the new one", async () => {
    const chain = new Chain();
    assert.equal(await chain.approve(await postAction(chain.parts(first, 0n))), first);
    assert.equal(await chain.approve(await postAction(chain.parts(second, first))), first + second);
    // What an auction takes at once leaves what the others need.
    await chain.approve(await auctionAction(chain.parts(third, first + second), 60));
    assert.equal(chain.allowance - third, first + second);
    assert.equal(await chain.approve(await postAction(chain.parts(0n, first))), undefined);
  });

  it("is told in words: how much of it is for orders before", async () => {
    const { steps } = await postAction(new Chain().parts(2n * 10n ** 18n, 3n * 10n ** 18n));
    const words = new Map(steps[0]!.words);
    assert.equal(words.get("How much"), "5 tokens");
    assert.equal(words.get("Of it for orders that wait for a provider"), "3 tokens");
  });
});

describe("orders that wait for a provider", () => {
  it("are those that can still be taken, each with what it takes then", async () => {
    const chain = new Chain();
    chain.used.add(8n);
    const rows = [
      posted("0x01"),
      posted("0x02", { jobs: [{ id: "1" }] }),
      posted("0x03", { expiry: "999" }),
      posted("0x04", { nonce: "8" }),
      posted("0x05", { committeeSize: 3, checkFee: "2" }),
    ];
    const open = await openOrders(chain.contracts, account, rows, 1_000n);
    // 264 steps, a root every 11 of them.
    assert.deepEqual(
      open.map(({ row, cost }) => [row.id, cost]),
      [
        ["0x01", 100n],
        ["0x05", 100n + 2n * 24n * 3n * 2n],
      ],
    );
    assert.equal(promisedBy(open), 200n + 2n * 24n * 3n * 2n);
  });

  it("are taken back by their number, which no provider can use any more", async () => {
    const { steps } = cancelAction({ deployment, account, done: () => {} }, posted("0x01"));
    const [step] = steps;
    assert.ok(step?.kind === "send" && steps.length === 1);
    const { to, data } = await step.call();
    assert.equal(to, addresses.Market);
    const call = decodeFunctionData({ abi: abis.Market, data });
    assert.deepEqual([call.functionName, call.args], ["cancelNonce", [7n]]);
    assert.equal(new Map(step.words).get("Number of the order (nonce)"), "7");
  });
});
