import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerFrom } from "../../dapp/src/data/answer.ts";
import { currencyOf, quoted, readFeedUnit } from "../../dapp/src/data/price-feed.ts";
import { TrainingDataDocument, WhoTrainedDocument } from "../../subgraph/queries/documents.ts";
import { tables } from "./support/tables.ts";

const feed = `0x${"fe".repeat(20)}` as const;

describe("a price in the currency of a price feed", () => {
  it("is told in that currency, to its last digit", () => {
    const dollars = { decimals: 8, currency: "USD" };
    assert.deepEqual(quoted(123_450_000_000n, dollars), { amount: "1,234.5", unit: "USD" });
    assert.deepEqual(quoted(1n, dollars), { amount: "0.00000001", unit: "USD" });
    assert.deepEqual(quoted(2n, { ...dollars, decimals: 0 }), { amount: "2", unit: "USD" });
  });

  it("stands as on the chain while nobody knows what it counts in", () => {
    assert.deepEqual(quoted(1_234n, undefined), { amount: "1,234", unit: "units of its price feed" });
  });

  it("has the currency that the feed says, where it says one", () => {
    assert.equal(currencyOf("ASSAY / USD"), "USD");
    assert.equal(currencyOf("ASSAY/EUR"), "EUR");
    for (const other of ["", "USD", "A / B / C", "A / pay 0x12 now"])
      assert.equal(currencyOf(other), "in the currency of its price feed");
  });

  /** A market that lists one feed, and that feed. */
  const said = (description: () => Promise<string>) => {
    const asked: string[] = [];
    const client = {
      readContract: async ({ functionName }: { functionName: string }) => {
        asked.push(functionName);
        return functionName === "decimals" ? 8 : description();
      },
    };
    const feedOf = async ([each]: [string]) => ({ maximumAge: each === feed ? 60 : 0 });
    const contracts = { Market: { read: { feedOf } } };
    return {
      asked,
      read: (of: `0x${string}`) => readFeedUnit(client as never, contracts as never, of),
    };
  };

  it("is read from feeds that the market lists, and from no others", async () => {
    const listed = said(async () => "ASSAY / USD");
    assert.deepEqual(await listed.read(feed), { decimals: 8, currency: "USD" });
    const unlisted = said(async () => "ASSAY / USD");
    await assert.rejects(unlisted.read(`0x${"ad".repeat(20)}`), /does not list it/);
    assert.deepEqual(unlisted.asked, []);
    const silent = said(() => Promise.reject(new Error("reverted")));
    assert.equal((await silent.read(feed)).currency, "in the currency of its price feed");
  });

  it("comes with the job that it was bid for, and with its order", () => {
    const given = tables({
      jobs: [{ id: "1", order: "0x0d", provider: null }],
      orders: [{ id: "0x0d", priceFeed: feed, maximumPrice: "5" }],
    });
    const meta = { number: 1, hash: "0x", timestamp: 1 };
    assert.equal(answerFrom(WhoTrainedDocument, { job: "1" }, given, meta).job?.order.priceFeed, feed);
    assert.equal(answerFrom(TrainingDataDocument, { job: "1" }, given, meta).job?.order.priceFeed, feed);
  });
});
