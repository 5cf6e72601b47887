import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import { createFollower, type Follower } from "../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../keepers/src/chain/follower/store.ts";
import { type Eip1193, providerEndpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { deploymentAt, ManualClock } from "./fixtures.ts";
import { SimulatedChain, stakingAddress } from "./simulated-chain.ts";

const emptyBloom: Hex = `0x${"00".repeat(256)}`;
type Header = { number: Hex; hash: Hex; parentHash: Hex; logsBloom: Hex };
type Asked = { method: string; params?: readonly unknown[] };

describe("a follower with three endpoints, of which the one that is asked first lies,", () => {
  let chain: SimulatedChain;
  let state: State;
  let clock: ManualClock;
  let client: ChainClient;
  let follower: Follower;
  let journal: string[];
  let requests: string[];
  /** What the liar makes of its header. */
  let forged: (header: Header) => Header;
  /** What it makes of a log. */
  let forgedLog: (log: object) => object;
  /** Whether it hides logs. */
  let isHiding: boolean;
  /** Blocks by which the second endpoint is behind. */
  let behind: number;

  const liar = (): Eip1193 => {
    const honest = chain.endpoint({}, 1);
    return {
      async request(asked: Asked) {
        if (asked.method === "eth_getLogs" && isHiding) return [];
        const answer = await honest.request(asked as never);
        if (asked.method === "eth_getLogs") return (answer as object[]).map((log) => forgedLog(log));
        return asked.method === "eth_getBlockByNumber" ? forged(answer as Header) : answer;
      },
    } as Eip1193;
  };

  const lagging = (): Eip1193 =>
    ({
      request(asked: Asked) {
        const old = new SimulatedChain(1);
        old.blocks.splice(0, Infinity, ...chain.blocks.slice(0, chain.blocks.length - behind));
        return old.endpoint({}, 2).request(asked as never);
      },
    }) as Eip1193;

  beforeEach(async () => {
    chain = new SimulatedChain(3);
    chain.mine(1);
    forged = (header) => header;
    forgedLog = (log) => log;
    isHiding = false;
    behind = 0;
    journal = [];
    requests = [];
    clock = new ManualClock();
    state = openState({ path: ":memory:", schemas: [followerSchema] });
    const endpoints = [liar(), lagging(), chain.endpoint({}, 3)].map((provider, i) => ({
      ...providerEndpoint(provider, `n${i}`),
      request(asked: Asked) {
        requests.push(asked.method);
        return provider.request(asked as never);
      },
    }));
    client = await connectChain({ chainId: 31337, endpoints, clock });
    follower = createFollower({
      ...{ client, state, clock, history: 12 },
      deployment: deploymentAt(stakingAddress),
      contracts: ["Staking"],
      handler: {
        applied: (event) => void journal.push(`${event.blockHash}:${event.logIndex}`),
        removed: (event) => assert.fail(`${event.blockNumber} was taken back`),
      },
    });
    await follower.catchUp();
  });
  afterEach(() => state.close());

  /** Steps that fail are taken again. */
  async function steps(times: number): Promise<void> {
    for (let i = 0; i < times; i++) await follower.step().catch(() => undefined);
  }

  it("attack: misses no event that it hides by an empty bloom while another one is a block behind", async () => {
    forged = (header) => ({ ...header, logsBloom: emptyBloom });
    isHiding = true;
    behind = 1;
    chain.mine(2);
    await steps(3);
    chain.mine(1);
    await steps(3);
    behind = 0;
    clock.time += 600_000;
    await follower.catchUp();
    assert.deepEqual(journal, chain.keys());
    assert.ok(client.health()[0]!.contradictions > 0, "it is marked");
  });

  for (const [blocks, why] of [
    [1, "one block"],
    [5, "several"],
  ] as const) {
    it(`attack: misses no event on a chain whose headers have no blooms, while another one is behind by ${why}`, async () => {
      isHiding = true;
      behind = blocks;
      for (let i = 0; i < blocks; i++) chain.mine(1);
      for (const block of chain.blocks) block.logsBloom = emptyBloom;
      await steps(4);
      assert.equal(client.health()[1]!.failures, 0, "to be behind is no failure");
      behind = 0;
      clock.time += 600_000;
      await follower.catchUp();
      assert.deepEqual(journal, chain.keys());
    });
  }

  const other = toHex(0xbad, { size: 32 });
  const forgeries: [string, (header: Header) => Header][] = [
    ["another hash", (header) => ({ ...header, hash: other })],
    ["another parent", (header) => ({ ...header, parentHash: other })],
    ["blooms of something else", (header) => ({ ...header, logsBloom: `0x${"00".repeat(255)}01` })],
    ["no block at all", () => null as unknown as Header],
    ["a difficulty that is no number", (header) => ({ ...header, difficulty: "zz" })],
  ];
  for (const [what, forge] of forgeries) {
    it(`attack: goes on, and takes nothing back, although it gives ${what}`, async () => {
      forged = forge;
      for (let i = 0; i < 3; i++) {
        chain.mine(1);
        await follower.catchUp();
      }
      assert.deepEqual(journal, chain.keys());
    });
  }

  it("attack: goes on although a field of each of its logs, which nobody needs, is no number, and marks it", async () => {
    forgedLog = (log) => ({ ...log, blockTimestamp: "zz" });
    for (let i = 0; i < 3; i++) {
      chain.mine(1);
      await follower.catchUp();
    }
    assert.deepEqual(journal, chain.keys());
    assert.ok(client.health()[0]!.contradictions > 0);
  });

  it("asks two endpoints alone for what is new in a block, and for no logs where blooms exclude them", async () => {
    requests = [];
    chain.mine(1);
    await follower.step();
    Object.entries(Object.groupBy(requests, (each) => each)).map(([, all]) => all!.length);
    // The head of all; the last block, and the new one; its logs.
    assert.deepEqual(requests.toSorted(), [
      ...Array(3).fill("eth_blockNumber"),
      ...Array(4).fill("eth_getBlockByNumber"),
      ...Array(2).fill("eth_getLogs"),
    ]);
    requests = [];
    chain.mine(0);
    chain.blocks.at(-1)!.logsBloom = `0x${"00".repeat(255)}01`;
    await follower.step();
    assert.equal(requests.length, 3 + 4);
  });
});

describe("a follower with two endpoints, of which one names a head that is not there,", () => {
  /** Follows what there is, with one wrong head on the way, and then a chain of which one block is taken back. */
  async function followed(blocks: number, isFollowedBefore: boolean) {
    const chain = new SimulatedChain(3);
    for (let i = 0; i < blocks; i++) chain.mine(1);
    let wrong: bigint | undefined;
    const honest = chain.endpoint({}, 1);
    const liar = {
      request: (asked: Asked) =>
        asked.method === "eth_blockNumber" && wrong !== undefined
          ? Promise.resolve(toHex(wrong))
          : honest.request(asked as never),
    } as Eip1193;
    const endpoints = [liar, chain.endpoint({}, 2)].map((each, i) => providerEndpoint(each, `n${i}`));
    const clock = new ManualClock();
    const client = await connectChain({ chainId: 31337, endpoints, clock });
    const state = openState({ path: ":memory:", schemas: [followerSchema] });
    const journal: string[] = [];
    const follower = createFollower({
      ...{ client, state, clock, history: 12 },
      deployment: deploymentAt(stakingAddress),
      contracts: ["Staking"],
      handler: {
        applied: (event) => void journal.push(`${event.blockHash}:${event.logIndex}`),
        removed: (event) => assert.equal(journal.pop(), `${event.blockHash}:${event.logIndex}`),
      },
    });
    if (isFollowedBefore) await follower.catchUp();
    chain.mine(1);
    wrong = chain.head + 12n;
    await follower.step();
    assert.equal(follower.position()?.number, chain.head);
    wrong = undefined;
    chain.reorganise(1, () => 1);
    await follower.catchUp();
    assert.deepEqual(journal, chain.keys());
    const known = state.all("SELECT number FROM follower_blocks ORDER BY number");
    state.close();
    return known.map(({ number }) => number);
  }

  it("attack: still takes back what a reorganisation of one block takes back", async () => {
    const known = await followed(40, true);
    assert.deepEqual(
      known,
      Array.from({ length: 13 }, (_, i) => 30n + BigInt(i)),
      "twelve below the newest one, and no more",
    );
  });

  it("attack: takes it back also where all was followed in that one step", async () => {
    await followed(40, false);
  });
});
