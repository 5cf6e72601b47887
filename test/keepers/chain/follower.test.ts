import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import { HandlerError, ReorgTooDeepError } from "../../../keepers/src/chain/follower/errors.ts";
import {
  createFollower,
  type EventHandler,
  type FollowerObserver,
} from "../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../keepers/src/chain/follower/store.ts";
import { type Eip1193, providerEndpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { deploymentAt, ManualClock } from "./fixtures.ts";
import { seeded } from "./random.ts";
import { type Faults, SimulatedChain, stakingAddress } from "./simulated-chain.ts";

const effects = {
  name: "effects",
  migrations: [
    "CREATE TABLE effects (place INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE) STRICT",
  ],
};

/** Keeps one row per event; a second delivery, or a removal of what is not there, throws. */
const exactlyOnce: EventHandler = {
  applied(event, state) {
    state.run("INSERT INTO effects (key) VALUES (?)", `${event.blockHash}:${event.logIndex}`);
  },
  removed(event, state) {
    const last = state.get("SELECT key FROM effects ORDER BY place DESC LIMIT 1");
    assert.equal(last?.key, `${event.blockHash}:${event.logIndex}`, "taken back in the reverse order");
    assert.equal(state.run("DELETE FROM effects WHERE key = ?", last?.key as string), 1);
  },
};
const keysIn = (state: State) => state.all("SELECT key FROM effects ORDER BY place").map(({ key }) => key);

type Setup = {
  chain: SimulatedChain;
  faults?: Faults[];
  seed?: number;
  quorum?: number;
};

async function connect({ chain, faults = [{}], seed = 1, quorum = 1 }: Setup): Promise<ChainClient> {
  return connectChain({
    chainId: 31337,
    endpoints: faults.map((each, i) => providerEndpoint(chain.endpoint(each, seed * 100 + i), `node${i}`)),
    quorum,
    clock: new ManualClock(),
  });
}

const memory = () => openState({ path: ":memory:", schemas: [followerSchema, effects] });

function follow(
  client: ChainClient,
  state: State,
  extra: Partial<Parameters<typeof createFollower>[0]> = {},
) {
  return createFollower({
    client,
    state,
    deployment: deploymentAt(stakingAddress),
    contracts: ["Staking", "BundleRegistry"],
    handler: exactlyOnce,
    history: 12,
    clock: new ManualClock(),
    ...extra,
  });
}

describe("follower on a simulated chain", () => {
  for (let seed = 1; seed <= 24; seed++) {
    it(`applies every event of the final chain once and in order, through faults, restarts and reorgs (seed ${seed})`, async () => {
      const random = seeded(seed);
      const chain = new SimulatedChain(seed);
      const faults: Faults[] = [
        { error: 0.2, duplicate: 0.3, shuffle: true, lag: 0.2, tooMany: 7 },
        { error: 0.1, shuffle: true, lag: 0.3, late: 0.4 },
      ];
      const client = await connect({ chain, faults, seed });
      const state = memory();
      const options = { maximumRange: 20, confirmations: random.below(3) };
      let follower = follow(client, state, options);
      for (let turn = 0; turn < 60; turn++) {
        const move = random.below(10);
        if (move < 4) for (let i = random.below(6); i >= 0; i--) chain.mine(random.below(4));
        else if (move === 4) chain.reorganise(1 + random.below(6), () => random.below(4));
        else if (move === 5) follower = follow(client, state, options);
        else {
          try {
            await follower.step();
          } catch (error) {
            assert.ok(!(error instanceof HandlerError), `${error}`);
          }
        }
      }
      for (const each of faults) for (const key of Object.keys(each)) delete each[key as keyof Faults];
      for (let i = 0; i < options.confirmations; i++) chain.mine(0);
      await follower.catchUp();
      assert.deepEqual(keysIn(state), chain.keys());
      state.close();
    });
  }

  it("takes events back before it applies those of the other branch", async () => {
    const chain = new SimulatedChain(7);
    for (let i = 0; i < 5; i++) chain.mine(2);
    const journal: string[] = [];
    const state = memory();
    const follower = follow(await connect({ chain }), state, {
      handler: {
        applied: (event) => void journal.push(`+${event.blockNumber}.${event.logIndex}`),
        removed: (event) => void journal.push(`-${event.blockNumber}.${event.logIndex}`),
      },
    });
    await follower.catchUp();
    journal.length = 0;
    chain.reorganise(2, () => 1);
    await follower.catchUp();
    assert.deepEqual(journal, ["-5.1", "-5.0", "-4.1", "-4.0", "+4.0", "+5.0", "+6.0"]);
  });

  for (const [when, method, nth, logs] of [
    ["while headers are read", "eth_getBlockByNumber", 6, 0],
    ["between headers and logs", "eth_getLogs", 1, 1],
  ] as const) {
    it(`applies events of one branch only when the chain moves ${when}`, async () => {
      const chain = new SimulatedChain(6);
      for (let i = 0; i < 3; i++) chain.mine(1);
      const honest = chain.endpoint({}, 1);
      let countdown = Number.POSITIVE_INFINITY;
      const provider: Eip1193 = {
        request(request) {
          if (request.method === method && --countdown === 0) chain.reorganise(6, () => logs);
          return honest.request(request);
        },
      };
      const client = await connectChain({ chainId: 31337, provider, clock: new ManualClock() });
      const state = memory();
      const follower = follow(client, state);
      await follower.catchUp();
      for (let i = 0; i < 8; i++) chain.mine(logs);
      countdown = nth;
      await assert.rejects(follower.step(), /the chain moved/);
      assert.deepEqual(keysIn(state).length, 3, "nothing of the step was kept");
      await follower.catchUp();
      assert.deepEqual(keysIn(state), chain.keys());
    });
  }

  it("gives decoded arguments", async () => {
    const chain = new SimulatedChain(7);
    chain.mine(1);
    const amounts: bigint[] = [];
    const follower = follow(await connect({ chain }), memory(), {
      handler: {
        applied(event) {
          if (event.contract === "Staking" && event.eventName === "Staked") amounts.push(event.args.amount);
        },
        removed() {},
      },
    });
    await follower.catchUp();
    assert.deepEqual(amounts, [BigInt(chain.blocks[1]!.logs[0]!.data as string)]);
  });

  it("keeps neither the effects nor the cursor of a step whose handler fails, and repeats it", async () => {
    const chain = new SimulatedChain(3);
    for (let i = 0; i < 4; i++) chain.mine(2);
    const state = memory();
    let broken = true;
    const client = await connect({ chain });
    const follower = follow(client, state, {
      handler: {
        ...exactlyOnce,
        applied(event, inside) {
          exactlyOnce.applied(event, inside);
          if (broken && event.blockNumber === 3n) throw new Error("boom");
        },
      },
    });
    await assert.rejects(follower.catchUp(), HandlerError);
    assert.deepEqual(keysIn(state), []);
    assert.equal(follower.position(), undefined);
    await assert.rejects(follower.run(new AbortController().signal), HandlerError);
    broken = false;
    await follower.catchUp();
    assert.deepEqual(keysIn(state), chain.keys());
  });

  it("finds the logs that an endpoint hides, because the header's bloom names them", async () => {
    const chain = new SimulatedChain(5);
    for (let i = 0; i < 10; i++) chain.mine(i % 3);
    const state = memory();
    await follow(await connect({ chain, faults: [{ hide: true }] }), state).catchUp();
    assert.deepEqual(keysIn(state), chain.keys());
  });

  it("finds hidden logs deep in the past when several endpoints must agree", async () => {
    const chain = new SimulatedChain(5);
    for (let i = 0; i < 60; i++) chain.mine(1);
    const alone = memory();
    await follow(await connect({ chain, faults: [{ hide: true }] }), alone).catchUp();
    assert.ok(keysIn(alone).length < chain.keys().length, "a single liar is believed about the far past");
    const state = memory();
    const client = await connect({ chain, faults: [{ hide: true }, {}, {}], quorum: 2 });
    await follow(client, state).catchUp();
    assert.deepEqual(keysIn(state), chain.keys());
    assert.ok(client.health()[0]!.contradictions > 0, "the liar is marked");
  });

  it("refuses a log that the header's bloom excludes", async () => {
    const chain = new SimulatedChain(5);
    chain.mine(1);
    chain.blocks[1]!.logsBloom = `0x${"00".repeat(255)}01`;
    await assert.rejects(follow(await connect({ chain }), memory()).catchUp(), /does not hold the log/);
  });

  it("halves ranges that hold too much and says so", async () => {
    const chain = new SimulatedChain(9);
    for (let i = 0; i < 100; i++) chain.mine(1);
    const ranges: bigint[] = [];
    const observer: FollowerObserver = { split: (range) => ranges.push(range) };
    const state = memory();
    const client = await connect({ chain, faults: [{ tooMany: 10 }] });
    await follow(client, state, { maximumRange: 64, observer }).catchUp();
    assert.deepEqual(keysIn(state), chain.keys());
    assert.deepEqual(ranges.slice(0, 3), [32n, 16n, 8n]);
  });

  it("stays where it is when the head is behind what it has followed", async () => {
    const chain = new SimulatedChain(2);
    for (let i = 0; i < 6; i++) chain.mine(1);
    const state = memory();
    const follower = follow(await connect({ chain }), state);
    await follower.catchUp();
    const cut = chain.blocks.splice(4);
    assert.deepEqual(await follower.step(), { kind: "idle", head: 3n });
    chain.blocks.push(...cut);
    assert.equal((await follower.step()).kind, "idle");
    assert.deepEqual(keysIn(state), chain.keys());
  });

  it("refuses a reorganisation deeper than its history instead of guessing", async () => {
    const chain = new SimulatedChain(2);
    for (let i = 0; i < 30; i++) chain.mine(1);
    const state = memory();
    const follower = follow(await connect({ chain }), state);
    await follower.catchUp();
    const before = keysIn(state);
    chain.reorganise(25, () => 1);
    await assert.rejects(follower.catchUp(), ReorgTooDeepError);
    assert.deepEqual(keysIn(state), before);
  });

  it("does not mix two chains in one state", async () => {
    const chain = new SimulatedChain(2);
    chain.mine(1);
    const state = memory();
    const client = await connect({ chain });
    await follow(client, state).catchUp();
    assert.throws(() => follow({ ...client, chainId: 5 }, state).position(), /belongs to chain 31337/);
  });

  it("waits, reports and goes on when every endpoint fails, until it is told to stop", async () => {
    const chain = new SimulatedChain(4);
    for (let i = 0; i < 5; i++) chain.mine(1);
    const faults: Faults = {};
    const client = await connect({ chain, faults: [faults] });
    faults.error = 1;
    const state = memory();
    const stop = new AbortController();
    let failures = 0;
    const follower = follow(client, state, {
      observer: {
        failed() {
          if (++failures === 3) faults.error = 0;
        },
        advanced: () => stop.abort(),
      },
    });
    await follower.run(stop.signal);
    assert.equal(failures, 3);
    assert.deepEqual(keysIn(state), chain.keys());
  });
});
