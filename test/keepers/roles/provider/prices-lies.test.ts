import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { encodeAbiParameters, zeroAddress } from "viem";
import type { Order } from "../../../../keepers/src/core/market/types.ts";
import { Prices, type PricesParts } from "../../../../keepers/src/roles/provider/prices.ts";
import { account } from "../doubles.ts";
import type { TableEndpoint } from "../endpoints.ts";
import { LiedTo } from "../lied-to.ts";

const feed = account(0xfeed);
const words = [{ type: "uint80" }, { type: "int256" }, { type: "uint256" }, { type: "uint256" }] as const;
const order = { conditions: { priceFeed: feed } } as Order;
const rate = 2_000n;
const whole = 10n ** 18n;

/** Has an endpoint say this of the feed: always, or of the newest block alone. */
function tellRate(endpoint: TableEndpoint, says: bigint, isLatestOnly = false): void {
  const before = endpoint.request.bind(endpoint);
  endpoint.request = async (request) => {
    const [call, block] = (request.params ?? []) as [{ to?: string }?, string?];
    const isMeant =
      request.method === "eth_call" && call?.to === feed && (!isLatestOnly || block === "latest");
    if (!isMeant) return before(request);
    return encodeAbiParameters([...words, { type: "uint80" }], [1n, says, 990n, 990n, 1n]);
  };
}

describe("what work costs in the unit of a feed, where the endpoint that is asked first lies,", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo({
      Market: {
        feedOf: () => ({ maximumAge: 100, least: 1n, most: 10n ** 9n }),
        sequencerFeed: () => zeroAddress,
        rateOf: () => rate,
      },
      AssayToken: { decimals: () => 18 },
    });
    for (const each of scene.endpoints) tellRate(each, rate);
  });

  const prices = async () =>
    new Prices({ ...(await scene.context()), feedMargin: 1 } as unknown as PricesParts);

  it("attack: is counted at the rate of the others although that names a tiny one", async () => {
    tellRate(scene.liar, 1n, true);
    assert.deepEqual(await (await prices()).rateOf(order), { rate, wholeToken: whole });
  });

  it("attack: is counted at the rate that the market fixed although that names a tiny one for an auction", async () => {
    scene.lie({ Market: { rateOf: () => 1n } });
    assert.deepEqual(await (await prices()).rateOf(order, 1n), { rate, wholeToken: whole });
  });

  it("attack: is counted although that says that the market does not list the feed", async () => {
    scene.lie({ Market: { feedOf: () => ({ maximumAge: 0, least: 0n, most: 0n }) } });
    assert.deepEqual(await (await prices()).rateOf(order), { rate, wholeToken: whole });
  });

  it("attack: is counted by nobody, and nothing is bid, when one of only two names a tiny rate", async () => {
    tellRate(scene.liar, 1n);
    scene.lie({ Market: { rateOf: () => 1n } });
    scene.leaveTwo();
    assert.equal(await (await prices()).rateOf(order), undefined);
    assert.equal(await (await prices()).rateOf(order, 1n), undefined);
  });

  it("is counted at what one says for a bid that was sealed before, as the chain takes no other", async () => {
    scene.lie({ Market: { rateOf: () => 1n } });
    assert.equal((await (await prices()).sealedRateOf(order, 1n)).rate, rate);
    scene.leaveTwo();
    assert.equal((await (await prices()).sealedRateOf(order, 1n)).rate, 1n);
  });

  it("is in tokens for an order without a feed, whatever endpoints say", async () => {
    for (const each of scene.endpoints) each.reads = {};
    const plain = { conditions: { priceFeed: zeroAddress } } as unknown as Order;
    assert.equal((await (await prices()).rateOf(plain))?.rate, 0n);
    assert.equal((await (await prices()).sealedRateOf(plain, 1n)).rate, 0n);
  });
});
