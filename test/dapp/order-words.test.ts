import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256 } from "viem";
import { orderWords } from "../../dapp/src/order/order-words.ts";
import { datasetOf, describeForm } from "./support/described.ts";

const tokens = 10n ** 18n;

describe("an order in words", () => {
  it("says all that a signature under it binds", () => {
    const described = describeForm({ model: "mlp", hidden: "20", price: "5", committee: "0", seed: "7" });
    const { problem, nonce, consumer } = described.order;
    const words = new Map(orderWords(described));
    assert.equal(words.get("Train on dataset"), datasetOf.datasetId);
    assert.match(words.get("Model")!, /^mlp · .*hidden 20.*; softmax-cross-entropy over 10 classes$/);
    assert.equal(words.get("Training"), "264 steps, a state root every 11");
    assert.equal(words.get("Samples of a step"), "32");
    assert.equal(words.get("Samples"), "80 to train on, 20 kept apart");
    assert.equal(words.get("Learning rate"), "0.1 (6554/2^16)");
    assert.equal(words.get("Momentum"), "0.9 (58982/2^16)");
    assert.equal(words.get("Numbers"), "8-bit integers, exact");
    assert.equal(words.get("Seed"), described.trainingOrder.seed);
    assert.equal(words.get("Pay at most"), "5 tokens");
    assert.equal(words.get("Who may train it"), "any provider");
    assert.equal(words.get("Paid by"), consumer);
    assert.equal(words.get("Training (trainingHash)"), problem.trainingHash);
    assert.equal(words.get("Training (trainingHash)"), keccak256(described.training));
    assert.equal(words.get("Program (programRoot)"), problem.programRoot);
    assert.equal(words.get("Model and options (programDigest)"), problem.programDigest);
    assert.equal(words.get("Number of the order (nonce)"), String(nonce));
  });

  it("does not call the units of a price feed tokens, and says what is asked of providers", () => {
    const described = describeForm({});
    const feed = `0x${"fe".repeat(20)}` as const;
    const conditions = {
      ...described.order.conditions,
      ...{ priceFeed: feed, maximumPrice: 12_500n, deposit: 100n * tokens, privacyTier: 2 },
    };
    const words = new Map(orderWords({ ...described, order: { ...described.order, conditions } }));
    assert.equal(words.get("Pay at most"), `12500 units of what the price feed ${feed} counts in`);
    assert.equal(words.get("Taken for it at most"), "100 tokens");
    assert.equal(words.get("Who may train it"), "providers with privacyTier 2");
  });
});
