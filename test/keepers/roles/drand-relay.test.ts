import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { drandBeaconAbi } from "../../../keepers/src/chain/abi/drand-beacon.ts";
import { DrandRelay } from "../../../keepers/src/roles/storage-node/drand-relay.ts";
import { deployment } from "./dataset.ts";
import { account, contextOf, refusal } from "./doubles.ts";

const signature = "ab".repeat(64);
const other = "cd".repeat(64);
const round = 4242n;

const withDrand = {
  ...deployment,
  beacon: "DrandBeacon" as const,
  addresses: { ...deployment.addresses, DrandBeacon: account(0xd7) },
};

const day = 86_400n;
/** Seeds are of use for as long as that after their requests. */
const delays = {
  DatasetRegistry: { closeDelay: () => 10n * day },
  ValidatorSet: { exitDelay: () => 3 * Number(day) },
};

describe("the drand relay", () => {
  const servers: Server[] = [];
  const asked: string[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
    asked.splice(0);
  });

  async function relay(answer: RequestListener): Promise<string> {
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      answer(request, response);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/chain`;
  }
  const says = (body: string, status = 200) => relay((_, response) => response.writeHead(status).end(body));
  const right = () => says(JSON.stringify({ round: Number(round), randomness: "00", signature }));

  /** One request that waits for the round, as the contract tells it. */
  function setUp(relays: string[], { accepts = [signature], dueAt = 900n, readyAt = 0n } = {}) {
    let ready = readyAt;
    const { context, queue, log } = contextOf(account(1), {
      DrandBeacon: {
        requestCount: () => 1n,
        requestOf: () => ({ round, readyAt: ready }),
        timeOf: () => dueAt,
      },
      ...delays,
    });
    queue.onSend = ({ key, data }) => {
      const { args } = decodeFunctionData({ abi: drandBeaconAbi, data });
      if (!accepts.includes((args![1] as string).slice(2))) throw refusal(key);
      ready = 1_000n;
    };
    const submitted = () =>
      queue.sent.map(({ data }) => {
        const { functionName, args } = decodeFunctionData({ abi: drandBeaconAbi, data });
        return [functionName, args![0], (args![1] as string).slice(2)];
      });
    const node = new DrandRelay({ ...context, deployment: withDrand, relays });
    return {
      tick: () => node.tick(1_000n),
      submitted,
      warnings: () => log.lines.filter(({ level }) => level === 40),
    };
  }

  it("carries the round that a request waits for to the contract", async () => {
    const { tick, submitted, warnings } = setUp([await right()]);
    await tick();
    assert.deepEqual(asked, ["/chain/public/4242"]);
    assert.deepEqual(submitted(), [["submitRound", round, signature]]);
    await tick();
    assert.equal(submitted().length, 1, "a request that has its seed is left alone");
    assert.deepEqual(warnings(), []);
  });

  it("asks nobody before the round's time, nor when the seed is there", async () => {
    const url = await right();
    await setUp([url], { dueAt: 1_001n }).tick();
    await setUp([url], { readyAt: 5n }).tick();
    assert.deepEqual(asked, []);
  });

  const bad: Record<string, () => Promise<string>> = {
    "is down": async () => "http://127.0.0.1:9/chain",
    "answers with an error": () => says("{}", 500),
    "gives another round": () => says(JSON.stringify({ round: 4243, signature })),
    "gives no JSON": () => says("<html>"),
    "gives no signature": () => says(JSON.stringify({ round: Number(round) })),
    "gives a signature of another length": () =>
      says(JSON.stringify({ round: Number(round), signature: "ab" })),
    "gives a signature that is no hexadecimal": () =>
      says(JSON.stringify({ round: Number(round), signature: "zz".repeat(64) })),
    "never stops talking": () =>
      relay((_, response) => {
        response.writeHead(200);
        const more = () => {
          while (response.writable && response.write("x".repeat(1024)));
        };
        response.on("drain", more);
        more();
      }),
    "breaks off": () =>
      relay((_, response) => {
        response.writeHead(200, { "content-length": "500" });
        response.write("{");
        setImmediate(() => response.destroy());
      }),
    "gives a false signature of the right form": () =>
      says(JSON.stringify({ round: Number(round), signature: other })),
  };
  for (const [what, make] of Object.entries(bad)) {
    it(`turns to the next relay when the first ${what}`, async () => {
      const { tick, submitted, warnings } = setUp([await make(), await right()]);
      await tick();
      assert.deepEqual(submitted().at(-1), ["submitRound", round, signature]);
      assert.deepEqual(warnings(), []);
    });
    it(`says so when the only relay ${what}, and tries again later`, async () => {
      const relays = [await make()];
      const { tick, warnings } = setUp(relays);
      await tick();
      assert.equal(warnings().length, 1);
      relays.push(await right());
      await tick();
      assert.equal(warnings().length, 1);
    });
  }

  it("says what to set when no relay is configured", async () => {
    const { tick, warnings } = setUp([]);
    await tick();
    assert.match(JSON.stringify(warnings()), /no drand relay is configured/);
  });
});
