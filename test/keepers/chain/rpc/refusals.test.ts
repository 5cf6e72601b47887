import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toHex } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { createFollower } from "../../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../../keepers/src/chain/follower/store.ts";
import { type Eip1193, type Endpoint, providerEndpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import { InconsistentAnswerError, RpcUnavailableError } from "../../../../keepers/src/chain/rpc/errors.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { deploymentAt, ManualClock } from "../fixtures.ts";
import { SimulatedChain, stakingAddress } from "../simulated-chain.ts";

const rpcError = (code: number, message: string, data?: string) =>
  Object.assign(new Error(message), { code, data });
const invalid = () => rpcError(-32602, "invalid params");
const tooMany = () => rpcError(-32005, "query returned more than 10000 results");
const reverted = (data?: string) => rpcError(3, "execution reverted", data);
const word = toHex(42, { size: 32 });

/** A client of endpoints each of which gives one answer, or fails with one error. */
function connected(...says: unknown[]) {
  const endpoints = says.map(
    (said, i): Endpoint => ({
      name: `n${i}`,
      async request({ method }) {
        if (method === "eth_chainId") return "0x1";
        if (said instanceof Error) throw said;
        return said;
      },
    }),
  );
  return connectChain({ chainId: 1, endpoints, clock: new ManualClock() });
}

const lies: [string, () => Error][] = [
  ["invalid params", invalid],
  ["an invalid request", () => rpcError(-32600, "invalid request")],
  ["a method that is not there", () => rpcError(-32601, "the method eth_getLogs does not exist")],
  ["a revert", () => reverted("0x12345678")],
  ["a nonce that is too low", () => rpcError(-32000, "nonce too low")],
];

describe("a follower with an endpoint that refuses long ranges of logs", () => {
  const chain = new SimulatedChain(3);
  for (let i = 0; i < 900; i++) chain.mine(i % 50 === 0 ? 1 : 0);

  for (const [what, lie] of lies) {
    for (const place of [0, 1, 2]) {
      it(`attack: reads all events although endpoint ${place} says of each that it is ${what}`, async () => {
        const liar: Eip1193 = {
          async request(asked) {
            if (asked.method === "eth_getLogs") throw lie();
            return chain.endpoint({}, 1).request(asked);
          },
        };
        const providers = [chain.endpoint({ tooMany: 200 }, 5), chain.endpoint({}, 6)];
        providers.splice(place, 0, liar);
        const clock = new ManualClock();
        const client = await connectChain({
          chainId: 31337,
          endpoints: providers.map((provider, i) => providerEndpoint(provider, `n${i}`)),
          clock,
        });
        const state = openState({ path: ":memory:", schemas: [followerSchema] });
        const journal: string[] = [];
        const follower = createFollower({
          ...{ client, state, clock },
          deployment: deploymentAt(stakingAddress),
          contracts: ["Staking"],
          handler: {
            applied: (event) => void journal.push(`${event.blockHash}:${event.logIndex}`),
            removed: () => assert.fail("nothing is taken back"),
          },
        });
        for (let i = 0; i < 100; i++) {
          clock.time += 60_000;
          const step = await follower.step().catch(() => undefined);
          if (step?.kind === "idle") break;
        }
        assert.deepEqual(journal, chain.keys());
        state.close();
      });
    }
  }
});

describe("refusals of several endpoints", () => {
  const logs = [{ address: stakingAddress, fromBlock: "0x0", toBlock: "0x7d0" }];
  const call = [{ to: stakingAddress, data: "0x" }, "0x1"];

  it("are believed by their kind: what one that lies says is not what another one says", async () => {
    const client = await connected(invalid(), tooMany(), tooMany());
    await assert.rejects(client.agreed("eth_getLogs", logs), /more than 10000 results/);
    const divided = await connected(reverted("0x11111111"), reverted("0x22222222"), reverted("0x22222222"));
    for (const ask of [divided.agreed, divided.request])
      await assert.rejects(ask("eth_call", call), { data: "0x22222222" });
    const misled = await connected(rpcError(-32000, "nonce too low"), reverted("0x22222222"), word);
    await assert.rejects(misled.agreed("eth_call", call), InconsistentAnswerError);
    assert.equal(await misled.request("eth_call", call), word);
  });

  it("are none where an endpoint calls malformed what is not, and the others answer", async () => {
    for (const [, lie] of lies.slice(0, 3)) {
      const client = await connected(lie(), word, word);
      assert.equal(await client.agreed("eth_call", call), word);
      assert.equal(await client.request("eth_call", call), word);
      assert.equal(client.health()[0]!.failures, 0, "it is no worse for other requests");
      const alone = await connected(lie(), lie(), word);
      await assert.rejects(alone.agreed("eth_call", call), RpcUnavailableError);
      assert.equal(await alone.request("eth_call", call), word);
    }
  });

  it("are what is said where all call a request malformed, or refuse it for different reasons", async () => {
    const all = await connected(invalid(), invalid(), invalid());
    for (const ask of [all.agreed, all.request])
      await assert.rejects(ask("eth_call", call), { code: -32602 });
    const various = await connected(reverted(), reverted("0x11111111"), reverted("0x22222222"));
    await assert.rejects(various.request("eth_call", call), /reverted/);
  });

  it("have less asked for on the word of one, where the others are too few to agree", async () => {
    const client = await connected(tooMany(), new Error("connection reset"), []);
    await assert.rejects(client.agreed("eth_getLogs", logs), /more than 10000 results/);
    const enough = await connected(tooMany(), [], []);
    assert.deepEqual(await enough.agreed("eth_getLogs", logs), []);
  });
});
