import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Address } from "viem";
import { callsInto } from "../../../keepers/src/chain/calls-into.ts";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";

const target: Address = "0x00000000000000000000000000000000000000aA";
const relay: Address = "0x00000000000000000000000000000000000000Bb";
const hash = `0x${"11".repeat(32)}` as const;

/** A chain with one transaction, and what an endpoint says when it is to trace it. */
function chainOf(to: Address, trace: () => unknown) {
  return {
    public: {
      getTransaction: async () => ({ to, input: "0x01" }),
      request: async () => trace(),
    },
  } as unknown as Pick<ChainClient, "public">;
}

const call = (to: Address, input: string, more = {}) => ({
  type: "CALL",
  to: to.toLowerCase(),
  input,
  ...more,
});

describe("the calls of a transaction into a contract", () => {
  it("are its own, when it called the contract itself", async () => {
    const never = () => assert.fail("nothing is to be traced");
    assert.deepEqual(await callsInto(chainOf(target, never), hash, target), ["0x01"]);
  });

  it("are those that other contracts made, in their order, without what was taken back or only read", async () => {
    const trace = call(relay, "0x01", {
      calls: [
        call(relay, "0x02", { calls: [call(target, "0x03"), call(target, "0x04", { type: "STATICCALL" })] }),
        call(relay, "0x05", { error: "execution reverted", calls: [call(target, "0x06")] }),
        call(target, "0x07", { error: "execution reverted" }),
        call(target, "0x08"),
      ],
    });
    assert.deepEqual(
      await callsInto(
        chainOf(relay, () => trace),
        hash,
        target,
      ),
      ["0x03", "0x08"],
    );
  });

  it("are unknown where the endpoint does not trace, or answers with something else", async () => {
    const refuse = () => {
      throw new Error("the method debug_traceTransaction does not exist");
    };
    for (const trace of [refuse, () => null, () => "0x"]) {
      assert.equal(await callsInto(chainOf(relay, trace), hash, target), undefined);
    }
    const odd = call(relay, "0x01", { calls: [null, 7, { type: "CALL", to: 9, input: {} }] });
    assert.deepEqual(
      await callsInto(
        chainOf(relay, () => odd),
        hash,
        target,
      ),
      [],
    );
  });
});
