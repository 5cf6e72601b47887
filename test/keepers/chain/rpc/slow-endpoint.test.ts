import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toHex } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import {
  newHealth,
  rank,
  recordContradiction,
  recordSuccess,
} from "../../../../keepers/src/chain/rpc/health.ts";
import { OrderedClock } from "../fixtures.ts";

const word = (n: number) => toHex(n, { size: 32 });
const minute = 60_000;
const asked = ["0x3e8", false];

/** Two honest endpoints and, last by their order, one that gives right answers late when it is told to. */
async function three() {
  const clock = new OrderedClock();
  const now = { isLate: false, otherBlockOf: "" };
  const requests: string[] = [];
  const endpointOf = (name: string): Endpoint => ({
    name,
    async request({ method, params }) {
      const [first] = (params ?? []) as [string];
      const isSlow = name === "late" && now.isLate && method === "eth_getBlockByNumber";
      if (method === "eth_getBlockByNumber") requests.push(name);
      await clock.sleep(isSlow ? 14_500 : 50);
      if (method === "eth_chainId") return "0x1";
      if (method === "eth_blockNumber") return "0x3e8";
      const number = Number(first);
      const hash = word(number + (name === now.otherBlockOf ? 1_000_000 : 0));
      return { number: first, hash, parentHash: word(number - 1), timestamp: first, transactions: [] };
    },
  });
  const endpoints = ["b", "c", "late"].map(endpointOf);
  const client = await connectChain({ chainId: 1, clock, endpoints });
  const header = () => client.agreed("eth_getBlockByNumber", asked);
  const took = async (work: () => Promise<unknown>) => {
    const begun = clock.time;
    await work();
    return clock.time - begun;
  };
  return { client, clock, now, requests, header, took };
}

describe("an endpoint that gives right answers just before its timeout", () => {
  it("attack: takes a second from each round in two minutes alone, also beside two that once contradicted it", async () => {
    const { client, clock, now, header } = await three();
    for (const name of ["b", "c"]) {
      now.otherBlockOf = name;
      await header();
      clock.time += 2 * minute + 1;
    }
    now.otherBlockOf = "";
    assert.deepEqual(
      client.health().map(({ contradictions }) => contradictions),
      [1, 1, 0],
      "it stands first",
    );
    now.isLate = true;
    const end = clock.time + 10 * minute;
    let rounds = 0;
    for (; clock.time < end; rounds++) {
      await client.public.getBlockNumber();
      await header();
      await clock.sleep(2_000);
    }
    assert.ok(rounds > 260, `${rounds} rounds`);
  });

  it("holds nobody up who needs two that agree, and a third one is asked after a second", async () => {
    const { client, clock, now, header, requests, took } = await three();
    assert.equal(await took(header), 50, "two are asked at once");
    assert.deepEqual(requests, ["b", "c"]);
    now.otherBlockOf = "b";
    await header();
    now.otherBlockOf = "";
    clock.time += minute;
    now.isLate = true;
    requests.length = 0;
    assert.equal(await took(header), 1_100);
    assert.deepEqual(requests, ["c", "late", "b"]);
    assert.ok(client.health()[2]!.restingUntil > clock.time + 8_000, "it rests for as long as it cost");
  });

  it("is asked after others for as long as it cost, whatever these once contradicted, and then as before", () => {
    const named = (name: string) => ({ health: newHealth(name) });
    const [honest, late] = [named("honest"), named("late")];
    const order = (now: number) => rank([honest, late], now).map(({ health }) => health.name);
    const start = 1_000_000;
    recordContradiction(honest.health, start);
    recordContradiction(honest.health, start);
    assert.deepEqual(order(start), ["late", "honest"]);
    recordSuccess(late.health, 14_500, start);
    late.health.latency = 0;
    assert.deepEqual(order(start), ["honest", "late"]);
    assert.deepEqual(order(start + 8 * 14_500), ["late", "honest"]);
    assert.deepEqual(order(start + 10 * minute), ["late", "honest"], "one of two is left");
    assert.deepEqual(order(start + 20 * minute), ["honest", "late"]);
    assert.equal(honest.health.contradictions, 2, "what is shown is the count since the start");
  });
});
