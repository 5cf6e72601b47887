import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ReadClient } from "../../../../keepers/src/chain/contracts.ts";
import { InconsistentAnswerError } from "../../../../keepers/src/chain/rpc/errors.ts";
import { StampReader } from "../../../../keepers/src/roles/audit/history.ts";
import { account, happened, stampsOf, word } from "./doubles.ts";

const event = happened(7, "Market.AuctionClosed", { jobId: 1n });

/** What is read of an event's transaction from an endpoint that puts it, or its block, somewhere else. */
function reading({ transactionIn = 7n, blockHash = event.blockHash } = {}) {
  const client = {
    getBlock: async () => ({ hash: blockHash, timestamp: 70n }),
    getTransaction: async () => ({
      ...{ blockNumber: transactionIn, from: account(0xf), to: account(0x70), input: "0x" },
    }),
  } as unknown as ReadClient;
  return new StampReader({ public: client }).read([event]);
}

describe("the transactions of a history", () => {
  it("have the time of their event's block", async () => {
    assert.deepEqual(await reading(), stampsOf([event]));
  });

  it("end the audit with what to do where the chain has moved since their events were read", async () => {
    for (const moved of [{ transactionIn: 8n }, { blockHash: word(1) }])
      await assert.rejects(reading(moved), (error) => {
        assert.ok(error instanceof InconsistentAnswerError);
        assert.match(error.message, /the chain moved at block 7 while it was read/);
        assert.equal(error.next, "Run the audit again.");
        return true;
      });
  });
});
