import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  feedFault,
  fromTokens,
  inTokens,
  isSequencerUp,
  toTokens,
  withMargin,
} from "../../../../keepers/src/core/market/feed.ts";

const wholeToken = 10n ** 18n;

describe("prices by a feed", () => {
  it("are believed as PriceFeeds.sol believes them, to the second and the unit", () => {
    const bounds = { maximumAge: 60, least: 10n, most: 20n };
    const fault = (answer: bigint, updatedAt: bigint, changes = {}) =>
      feedFault({ ...bounds, ...changes }, { answer, updatedAt }, 1_000n);
    assert.equal(fault(10n, 940n), undefined);
    assert.equal(fault(20n, 1_000n), undefined);
    assert.equal(fault(10n, 939n), "stale");
    assert.equal(fault(10n, 1_001n), "stale", "an answer from the future");
    assert.equal(fault(9n, 1_000n), "implausible");
    assert.equal(fault(21n, 1_000n), "implausible");
    assert.equal(fault(-10n, 1_000n), "implausible");
    assert.equal(fault(15n, 1_000n, { maximumAge: 0 }), "unlisted");
  });

  it("are believed on rollups when the sequencer has been back for long enough, to the second", () => {
    const isUp = (answer: bigint, startedAt: bigint) => isSequencerUp({ answer, startedAt }, 60n, 1_000n);
    assert.ok(isUp(0n, 939n));
    assert.ok(!isUp(0n, 940n), "not for long enough");
    assert.ok(!isUp(0n, 1_001n), "from the future");
    assert.ok(!isUp(1n, 1n), "down");
    assert.ok(!isUp(0n, 0n), "nothing said yet");
  });

  it("become tokens rounded down, and what is asked for is never worth less than it costs", () => {
    const rate = { rate: 3n * 10n ** 8n, wholeToken };
    assert.equal(toTokens(10n ** 8n, rate), wholeToken / 3n);
    for (const amount of [1n, wholeToken / 3n, wholeToken, 10n * wholeToken + 1n, 123_456_789n]) {
      const price = fromTokens(amount, rate);
      assert.ok(toTokens(price, rate) >= amount);
      assert.ok(toTokens(price - 1n, rate) < amount, "not a unit too much");
    }
  });

  it("are tokens where there is no feed", () => {
    assert.equal(toTokens(7n, inTokens), 7n);
    assert.equal(fromTokens(7n, inTokens), 7n);
  });

  it("have a margin that is rounded up", () => {
    assert.equal(withMargin(100n, 5), 105n);
    assert.equal(withMargin(1n, 5), 2n);
    assert.equal(withMargin(100n, 0), 100n);
  });
});
