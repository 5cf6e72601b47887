import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, toHex } from "viem";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { estimateFees } from "../../../keepers/src/chain/transactions/fees.ts";
import { tryOnHead } from "../../../keepers/src/chain/transactions/preflight.ts";
import { OrderedClock } from "./fixtures.ts";

const gwei = 10n ** 9n;
const word = (n: number) => toHex(n, { size: 32 });
const account = toHex(1, { size: 20 }) as Address;
/** What an endpoint says after so many milliseconds. */
type Quote = { after: number; base: bigint; tip: bigint; gas: bigint };
const honest = { after: 50, base: 20n * gwei, tip: gwei, gas: 300_000n };
const liar = { after: 30, base: 0n, tip: 0n, gas: 14_000_000n };
const usual = { fees: { maxFeePerGas: 41n * gwei, maxPriorityFeePerGas: gwei }, gas: 375_000n };

async function quoting(...quotes: readonly Quote[]) {
  const clock = new OrderedClock();
  const down = new Set<string>();
  const endpoints = quotes.map(({ after, base, tip, gas }, i): Endpoint => {
    const name = `n${i}`;
    const answers: Record<string, unknown> = {
      eth_chainId: "0x1",
      eth_call: "0x",
      eth_gasPrice: "0x1",
      eth_maxPriorityFeePerGas: toHex(tip),
      eth_estimateGas: toHex(gas),
      eth_getBlockByNumber: {
        ...{ number: "0x10", hash: word(16), parentHash: word(15), timestamp: "0x20" },
        baseFeePerGas: toHex(base),
      },
    };
    return {
      name,
      async request({ method }) {
        if (method !== "eth_chainId") await clock.sleep(after);
        if (down.has(name)) throw new Error("connection reset");
        return answers[method];
      },
    };
  });
  const client = await connectChain({ chainId: 1, clock, endpoints });
  const look = async () => {
    const begun = clock.time;
    const fees = await estimateFees(client, 500n * gwei);
    const options = { client, address: account, maximumGas: 15_000_000n, gasMargin: 25n };
    const verdict = await tryOnHead(options, { to: account, data: "0x", value: 0n });
    assert.equal(verdict.kind, "passes");
    return { fees, gas: (verdict as { gas: bigint }).gas, took: clock.time - begun };
  };
  return { client, clock, down, look };
}

describe("what gas costs, of three endpoints of which one lies,", () => {
  for (const after of [1_200, 3_000]) {
    it(`attack: is what the honest ones say, although one of them takes ${after} ms`, async () => {
      const { look } = await quoting(liar, honest, { ...honest, after });
      const { fees, gas } = await look();
      assert.deepEqual({ fees, gas }, usual);
    });
  }

  it("attack: is what the honest ones say, although one of them rests", async () => {
    const { client, clock, down, look } = await quoting(liar, honest, honest);
    down.add("n2");
    await client.poll("eth_gasPrice");
    assert.ok(client.health()[2]!.restingUntil > clock.time, "it rests");
    down.clear();
    const { fees, gas } = await look();
    assert.deepEqual({ fees, gas }, usual);
  });

  it("is asked for no longer than it takes where the others say about the same", async () => {
    const near = { ...honest, base: 24n * gwei, after: 60 };
    const { look } = await quoting(honest, near, { ...liar, after: 14_900 });
    const { fees, took } = await look();
    assert.equal(fees.maxFeePerGas, 49n * gwei, "the higher one of two base fees");
    assert.ok(took < 3_000, `${took} ms`);
  });

  it("attack: is asked for in seconds although one says nothing and the others contradict each other", async () => {
    const { look } = await quoting({ ...liar, base: honest.base }, honest, { ...honest, after: 14_900 });
    const { fees, took } = await look();
    assert.equal(fees.maxFeePerGas, 40n * gwei, "the lower one of two tips, which are spent whole");
    assert.ok(took < 10_000, `${took} ms`);
  });
});
