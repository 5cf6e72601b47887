import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { type ChainClient, connectChain } from "../../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import { isTooManyResults } from "../../../../keepers/src/chain/rpc/errors.ts";
import { ManualClock } from "../fixtures.ts";

const word = (n: number) => toHex(n, { size: 32 });
const account = toHex(1, { size: 20 });
const rpcError = (code: number, message: string) => Object.assign(new Error(message), { code });

type Manner = {
  head: () => number;
  says: number;
  /** What it says of a block that it does not have, if it does not make up an answer. */
  missing?: Error;
};

function endpointOf(name: string, { head, says, missing }: Manner, blocks: string[]): Endpoint {
  return {
    name,
    async request({ method, params }) {
      if (method === "eth_chainId") return "0x1";
      if (method === "eth_blockNumber") return toHex(head());
      const [, block] = params as unknown[];
      if (name === "ahead") blocks.push(block as string);
      if (missing !== undefined && Number(block) > head()) throw missing;
      return method === "eth_call" ? word(says) : toHex(says);
    },
  };
}

async function connected(manners: Record<string, Manner>) {
  const clock = new ManualClock();
  const blocks: string[] = [];
  const endpoints = Object.entries(manners).map(([name, manner]) => endpointOf(name, manner, blocks));
  return { client: await connectChain({ chainId: 1, endpoints, clock }), clock, blocks };
}

const call = (client: ChainClient, block: Hex | "latest" = "latest") =>
  client.confirmed.request({ method: "eth_call", params: [{ to: account, data: "0x" }, block] });

describe("contracts as endpoints agree on them, beside one that lies and one that is a block behind,", () => {
  for (const shift of [1_000_000, 3, 1, 0, -1, -5, -6, -1_000]) {
    const where = shift < 0 ? `${-shift} blocks below` : `${shift} blocks above`;
    it(`attack: are read each time although the liar's head is ${where} that of the chain`, async () => {
      let head = 2_000_000;
      const missing = rpcError(-32000, "header not found");
      const { client, clock, blocks } = await connected({
        liar: { head: () => head + shift, says: 666 },
        ahead: { head: () => head, says: 42, missing },
        behind: { head: () => head - 1, says: 42, missing },
      });
      for (let i = 0; i < 20; i++) {
        assert.equal(await call(client), word(42));
        // Two have reached the one before the head, and an endpoint may be five behind that.
        assert.ok(Number(blocks.at(-1)) >= head - 6, "at a block that is new");
        head++;
        clock.time += 2_000;
      }
      const [, ahead, behind] = client.health();
      assert.deepEqual([ahead!.failures, behind!.failures], [0, 0]);
    });
  }
});

/** As nodes and services word it; the first five are geth and its kin, then Erigon, Nethermind, Besu, Reth, proxies and development chains. */
const wordings: [number, string][] = [
  [-32000, "header not found"],
  [-32000, "unknown block"],
  [-32000, "header for hash not found"],
  [-32000, "block #2000000 not found"],
  [-32000, "missing block"],
  [-32000, "block 2000000 not found"],
  [-32000, "block not found: 0x1e8480"],
  [-32000, "2000000 could not be found"],
  [-32001, "Block 2000000 could not be found"],
  [-32001, "Unknown block error"],
  [-32000, "Block not found"],
  [-39001, "Unknown block"],
  [-32001, "block not found: 0x1e8480"],
  [-32603, "upstream does not have the requested block yet"],
  [-32602, "Unknown block number"],
  [-32000, "cannot query unfinalized data"],
  [-32602, "BlockOutOfRangeError: block height is 1999999 but requested was 2000000"],
  [-32602, "Received invalid block tag 2000000. Latest block number is 1999999"],
];

describe("an endpoint that does not have a block yet, and says so", () => {
  for (const [code, message] of wordings) {
    it(`abstains and does not rest: ${message} (${code})`, async () => {
      const { client } = await connected({
        behind: { head: () => 1_999_999, says: 42, missing: rpcError(code, message) },
        ahead: { head: () => 2_000_000, says: 42 },
        other: { head: () => 2_000_000, says: 42 },
      });
      const block = toHex(2_000_000);
      assert.equal(await call(client, block), word(42));
      assert.equal(await client.agreed("eth_getTransactionCount", [account, block]), toHex(42));
      assert.equal(await client.request("eth_getBalance", [account, block]), toHex(42));
      const [behind] = client.health();
      assert.deepEqual([behind!.failures, behind!.contradictions, behind!.restingUntil], [0, 0, 0]);
    });
  }

  it("does not say so by a contract's own words", async () => {
    const refusal = Object.assign(rpcError(3, "execution reverted: unknown block"), { data: "0x" });
    const { client } = await connected({
      one: { head: () => 1, says: 42, missing: refusal },
      two: { head: () => 1, says: 42, missing: refusal },
      ahead: { head: () => 2_000_000, says: 42 },
    });
    await assert.rejects(call(client, toHex(2_000_000)), /reverted/);
  });

  it("has not said that a range of logs holds too much", () => {
    for (const message of ["block range extends beyond current head block", "invalid block range params"])
      assert.equal(isTooManyResults(rpcError(-32602, message)), false, message);
    assert.equal(isTooManyResults(rpcError(-32602, "block range is too wide")), true);
  });
});
