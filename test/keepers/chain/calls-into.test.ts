import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, type Hex, pad } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { callsInto } from "../../../keepers/src/chain/calls-into.ts";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { ByzantineChain } from "./byzantine-chain.ts";
import { ManualClock } from "./fixtures.ts";

const target: Address = "0x00000000000000000000000000000000000000aa";
const relay: Address = "0x00000000000000000000000000000000000000bb";
const account = privateKeyToAccount(pad("0xa11ce", { size: 32 }));

type Shown = {
  /** What it makes of the transaction. */
  twist?: (json: Record<string, unknown>) => unknown;
  trace?: () => unknown;
};

const untraced = () => {
  throw Object.assign(new Error("the method debug_traceTransaction does not exist"), { code: -32601 });
};

/** The calls of one signed transaction into the target, as endpoints show it. */
async function callsOf(to: Address, ...shown: Shown[]) {
  const raw = await account.signTransaction({
    ...{ type: "eip1559", chainId: 1, nonce: 5, to, data: "0x01" },
    ...{ gas: 21_000n, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n },
  });
  const chain = new ByzantineChain(account, 1);
  const hash = await chain.add(raw);
  const { json } = chain.known.get(hash)!;
  const endpoints = shown.map(
    ({ twist = (each) => each, trace = untraced }, i): Endpoint => ({
      name: `n${i}`,
      async request({ method }) {
        if (method === "eth_chainId") return "0x1";
        return method === "eth_getTransactionByHash" ? twist(json) : trace();
      },
    }),
  );
  const client = await connectChain({ chainId: 1, endpoints, clock: new ManualClock() });
  return { client, calls: await callsInto(client, hash, target) };
}

const call = (to: Address, input: string, more = {}) => ({
  type: "CALL",
  to,
  input,
  ...more,
});

describe("the calls of a transaction into a contract", () => {
  it("are its own, when it called the contract itself", async () => {
    const never = () => assert.fail("nothing is to be traced");
    assert.deepEqual((await callsOf(target, { trace: never })).calls, [["0x01"]]);
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
    assert.deepEqual((await callsOf(relay, { trace: () => trace })).calls, [["0x03", "0x08"]]);
  });

  it("are unknown where no endpoint traces, or they answer with something else", async () => {
    for (const trace of [untraced, () => null, () => "0x"])
      assert.deepEqual((await callsOf(relay, { trace })).calls, []);
    const odd = call(relay, "0x01", { calls: [null, 7, { type: "CALL", to: 9, input: {} }] });
    assert.deepEqual((await callsOf(relay, { trace: () => odd })).calls, [[]]);
  });

  it("attack: are looked through although there are hundreds of thousands", async () => {
    const trace = call(relay, "0x01", { calls: Array.from({ length: 300_000 }, () => call(target, "0x02")) });
    assert.equal((await callsOf(relay, { trace: () => trace })).calls[0]!.length, 300_000);
  });

  it("attack: are those of the transaction that its hash stands for, whatever one endpoint says of it", async () => {
    const twists: Shown["twist"][] = [
      (json) => ({ ...json, to: relay }),
      (json) => ({ ...json, input: "0xbad0" }),
      ({ hash }) => ({ hash, to: target, input: "0xbad0" }),
      () => null,
    ];
    for (const twist of twists)
      assert.deepEqual((await callsOf(target, { twist }, {}, {})).calls, [["0x01"]]);
  });

  it("attack: are what each endpoint shows, so that none hides what another one knows", async () => {
    const honest = () => call(relay, "0x01", { calls: [call(target, "0x03")] });
    const { calls, client } = await callsOf(
      relay,
      { trace: () => call(relay, "0x01") },
      { trace: honest },
      {},
    );
    assert.deepEqual(calls, [[], ["0x03"]]);
    assert.equal(client.health()[2]!.failures, 0, "whoever does not trace is no worse for it");
  });

  it("are had whatever case an address is written in", async () => {
    const twist = (json: Record<string, unknown>) => ({ ...json, to: `0x${target.slice(2).toUpperCase()}` });
    assert.deepEqual((await callsOf(target, { twist })).calls, [["0x01"]]);
  });

  it("are those that a quorum names, of a transaction of another kind", async () => {
    const unsigned = ({ hash, input, to }: Record<string, unknown>) => ({ hash, input, to, type: "0x7e" });
    const lie = (json: Record<string, unknown>) => ({ ...unsigned(json), input: "0xbad0" as Hex });
    const { calls } = await callsOf(target, { twist: lie }, { twist: unsigned }, { twist: unsigned });
    assert.deepEqual(calls, [["0x01"]]);
    const gone = { twist: () => null };
    assert.deepEqual((await callsOf(target, gone, gone, gone)).calls, []);
  });
});
