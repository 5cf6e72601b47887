import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, encodeEventTopics, type Hex, numberToHex } from "viem";
import { ChainReader } from "../../dapp/src/data/chain-reader.ts";
import { abis } from "../../keepers/src/chain/abi/index.ts";
import type { ReadClient } from "../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../keepers/src/chain/deployment-format.ts";

const audits: Address = "0x00000000000000000000000000000000000000a1";
const word = (value: number) => numberToHex(value, { size: 32 });

type Range = readonly [from: number, to: number];

/** A chain in which blocks have one event at most, which opens the epoch of its number; a branch has its own hashes and times. */
class Chain {
  readonly #branches: number[] = [];
  /** Ranges of blocks whose logs were asked for. */
  asked: Range[] = [];
  transactions = 0;
  /** Blocks that one request may span. */
  most = Number.POSITIVE_INFINITY;
  /** Every how many blocks there is an event. */
  every = 1;
  /** Called before logs are given. */
  meanwhile: () => void = () => {};

  grow(to: number, branch = 0): this {
    for (let number = this.#branches.length; number <= to; number++) this.#branches.push(branch);
    return this;
  }

  /** Leaves the blocks from a number on. */
  cut(from: number): this {
    this.#branches.length = from;
    return this;
  }

  #block(number: number) {
    const branch = this.#branches[number];
    if (branch === undefined) throw new Error(`there is no block ${number}`);
    return {
      number: BigInt(number),
      hash: word(1_000_000 * (branch + 1) + number),
      timestamp: BigInt(10 * number + branch),
    };
  }

  #log(number: number) {
    const { hash: blockHash, number: blockNumber } = this.#block(number);
    const topics = encodeEventTopics({
      abi: abis.StorageAudit,
      eventName: "EpochOpened",
      args: { epoch: number, requestId: 1n },
    });
    const at = { blockHash, blockNumber, transactionIndex: 0, logIndex: 0, removed: false };
    return { ...at, address: audits, topics, data: "0x" as Hex, transactionHash: word(number) };
  }

  reader(startBlock = 0n): ChainReader {
    const client = {
      getBlock: async ({ blockNumber }: { blockNumber?: bigint } = {}) =>
        this.#block(Number(blockNumber ?? this.#branches.length - 1)),
      getLogs: async ({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) => {
        const [from, to] = [Number(fromBlock), Number(toBlock)];
        this.asked.push([from, to]);
        if (to - from + 1 > this.most) throw new Error("block range is too large");
        const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
        const logs = numbers.filter((number) => number % this.every === 0).map((number) => this.#log(number));
        this.meanwhile();
        return logs;
      },
      getTransaction: async ({ hash }: { hash: Hex }) => {
        this.transactions++;
        return { blockNumber: BigInt(hash), from: audits, to: audits, input: "0x" };
      },
    } as unknown as ReadClient;
    const deployment = { chainId: 31_337, startBlock, addresses: { StorageAudit: audits } };
    return new ChainReader(client, deployment as unknown as Deployment);
  }
}

/** Number and second of each event that was read. */
async function eventsOf(reader: ChainReader): Promise<(readonly [number, number])[]> {
  const { tables } = await reader.read();
  return [...tables.events.values()].map(
    ({ block, timestamp }) => [Number(block), Number(timestamp)] as const,
  );
}

const blocks = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => [from + i, 10 * (from + i)] as const);

describe("the events of the chain, read without an index", () => {
  it("are asked for once: of a new block only what is new, of an old one nothing", async () => {
    const chain = new Chain().grow(50);
    const reader = chain.reader(3n);
    assert.deepEqual(await eventsOf(reader), blocks(3, 50));
    assert.deepEqual(await eventsOf(reader), blocks(3, 50));
    chain.grow(52);
    assert.deepEqual(await eventsOf(reader), blocks(3, 52));
    assert.deepEqual(chain.asked, [
      [3, 50],
      [51, 52],
    ]);
    assert.equal(chain.transactions, 50);
  });

  it("are each in one range, wherever requests are cut", async () => {
    const chain = new Chain().grow(41_000);
    Object.assign(chain, { most: 700, every: 100 });
    const reader = chain.reader(1n);
    assert.equal((await eventsOf(reader)).length, 410);
    const answered = chain.asked.filter(([from, to]) => to - from + 1 <= chain.most);
    let next = 1;
    for (const [from, to] of answered) {
      assert.equal(from, next);
      next = to + 1;
    }
    assert.equal(next, 41_001);
  });

  it("are taken back with the blocks of a branch that was left, and their times with them", async () => {
    const chain = new Chain().grow(10);
    const reader = chain.reader();
    await reader.read();
    chain.grow(20);
    await reader.read();
    chain.asked = [];
    chain.cut(15).grow(22, 1);
    const branch = Array.from({ length: 8 }, (_, i) => [15 + i, 10 * (15 + i) + 1] as const);
    assert.deepEqual(await eventsOf(reader), [...blocks(0, 14), ...branch]);
    // From the newest block on that was read up to and still is the chain's.
    assert.deepEqual(chain.asked, [[11, 22]]);
    chain.cut(0).grow(23, 2);
    assert.equal((await eventsOf(reader))[0]![1], 2);
  });

  it("stay while an endpoint is behind another one, and are read again once it has left their branch", async () => {
    const chain = new Chain().grow(10);
    const reader = chain.reader();
    await reader.read();
    chain.grow(12);
    const { meta } = await reader.read();
    chain.cut(12);
    chain.asked = [];
    assert.deepEqual((await reader.read()).meta, meta);
    assert.deepEqual(chain.asked, []);
    chain.cut(11).grow(13, 1);
    assert.deepEqual((await eventsOf(reader)).slice(-3), [
      [11, 111],
      [12, 121],
      [13, 131],
    ]);
  });

  it("are not mixed when the chain moves while they are read; what was read before stays", async () => {
    const chain = new Chain().grow(10);
    const reader = chain.reader();
    await reader.read();
    chain.grow(12);
    chain.meanwhile = () => {
      chain.cut(9).grow(13, 1);
      chain.meanwhile = () => {};
    };
    await assert.rejects(reader.read(), /the chain moved at block 12/);
    assert.deepEqual((await eventsOf(reader)).slice(8, 10), [
      [8, 80],
      [9, 91],
    ]);
  });

  it("are kept as far as they came when an endpoint fails on the way", async () => {
    const chain = new Chain().grow(50_000);
    chain.every = 1_000;
    const reader = chain.reader();
    chain.meanwhile = () => {
      if (chain.asked.length === 15) throw new Error("no answer");
    };
    await assert.rejects(reader.read(), /no answer/);
    chain.meanwhile = () => {};
    chain.asked = [];
    await reader.read();
    assert.equal(chain.asked[0]![0], 20_000);
  });
});
