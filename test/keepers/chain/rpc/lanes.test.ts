import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import { findCause, RpcBusyError } from "../../../../keepers/src/chain/rpc/errors.ts";
import { ManualClock } from "../fixtures.ts";

const perSecond = 50;
/** Requests of strangers that wait for one endpoint. */
const mostWaiting = 64;

/** A chain behind endpoints that note whose requests came, in their order: duties ask for the price of gas, strangers call. */
async function connected(endpoints = 1) {
  const asked: string[] = [];
  const endpoint = (i: number): Endpoint => ({
    name: `n${i}`,
    async request({ method }) {
      if (method === "eth_chainId") return "0x1";
      asked.push(method === "eth_gasPrice" ? "duty" : "stranger");
      return `0x${"01".repeat(32)}`;
    },
  });
  const client = await connectChain({
    chainId: 1,
    endpoints: Array.from({ length: endpoints }, (_, i) => endpoint(i)),
    clock: new ManualClock(),
    requestsPerSecond: perSecond,
  });
  const duty = () => client.request("eth_gasPrice");
  const stranger = () => client.strangers.request({ method: "eth_call", params: [{}] } as never);
  return { asked, duty, stranger };
}

const turnedAway = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
  outcomes.filter((each) => each.status === "rejected" && findCause(each.reason, RpcBusyError)).length;

describe("requests that strangers cause", () => {
  it("attack: two thousand of them that wait let a duty's go out next, and few of them wait", async () => {
    const { asked, duty, stranger } = await connected();
    const flood = Array.from({ length: 2_000 }, () => stranger());
    const settled = Promise.allSettled(flood);
    // What is sent at once after a rest, before anybody has to wait.
    await new Promise((resolve) => setImmediate(resolve));
    const before = asked.length;
    assert.ok(before < perSecond, `${before} requests of a burst of ${perSecond}`);
    await duty();
    assert.equal(asked.indexOf("duty"), before, "it is the next that goes out");
    const outcomes = await settled;
    assert.equal(turnedAway(outcomes), 2_000 - before - mostWaiting);
    assert.equal(asked.length, 1 + before + mostWaiting, "what waited was answered");
  });

  it("go on while duties never pause, with no more than a fifth of what goes out", async () => {
    const { asked, duty, stranger } = await connected();
    await Promise.all(Array.from({ length: perSecond }, () => duty()));
    const before = asked.length;
    const all = Promise.allSettled([
      ...Array.from({ length: mostWaiting }, () => stranger()),
      ...Array.from({ length: 4 * mostWaiting }, () => duty()),
    ]);
    assert.equal(turnedAway(await all), 0);
    const inAll = asked.slice(before);
    for (let i = 0; i + 10 <= inAll.length; i += 10) {
      const strangers = inAll.slice(i, i + 10).filter((who) => who === "stranger").length;
      assert.ok(strangers >= 1 && strangers <= 3, `${strangers} of ten from the ${i}th on`);
    }
  });

  it("have all of the rate to themselves while no duty asks for anything", async () => {
    const { asked, stranger } = await connected();
    for (let i = 0; i < 4; i++) {
      const outcomes = await Promise.allSettled(Array.from({ length: mostWaiting }, () => stranger()));
      assert.equal(turnedAway(outcomes), 0);
    }
    assert.equal(asked.length, 4 * mostWaiting);
  });

  it("go to the next endpoint when too many wait for the first, and are refused when it is so with each", async () => {
    const { asked, stranger } = await connected(2);
    const outcomes = await Promise.allSettled(Array.from({ length: 2_000 }, () => stranger()));
    const refused = turnedAway(outcomes);
    assert.equal(asked.length, 2_000 - refused);
    assert.ok(asked.length > mostWaiting + perSecond && asked.length <= 2 * (mostWaiting + perSecond));
  });
});
