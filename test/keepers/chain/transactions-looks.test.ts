import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { RpcUnavailableError } from "../../../keepers/src/chain/rpc/errors.ts";
import { depthOf } from "../../../keepers/src/chain/transactions/look.ts";
import { foreign } from "./queue-walk.ts";
import {
  account,
  broken,
  finality,
  intent,
  mine,
  minute,
  sent,
  sure,
  type World,
  world,
} from "./queue-world.ts";

describe("a nonce that was lost", () => {
  const lose = async (w: World) => {
    await w.queue.submit(intent("lost"));
    await w.queue.submit(intent("held"));
    for (const table of ["attempts", "intents"]) w.state.run(`DELETE FROM ${table} WHERE key = 'lost'`);
    w.chain.known.delete([...w.chain.known.keys()][0]!);
  };

  it("is used up by a transfer of nothing once what it holds back is stuck", async () => {
    const w = await world();
    await lose(w);
    await w.queue.tick();
    assert.equal(w.raws.length, 2);
    w.clock.time += minute;
    await w.queue.tick();
    const [, , filler] = sent(w);
    assert.deepEqual(
      [filler!.nonce ?? 0, filler!.to, filler!.value ?? 0n, filler!.gas],
      [0, account.address.toLowerCase(), 0n, 21_000n],
    );
    assert.deepEqual(
      w.queue.pending().map(({ key }) => key),
      ["held"],
      "nobody waits for it",
    );
    mine(w, 2);
    assert.equal((await w.queue.wait("held")).status, "success");
  });

  it("is left to a transaction of another program that waits in the pools", async () => {
    const w = await world();
    await lose(w);
    w.clock.time += minute;
    w.answers.eth_getTransactionCount = ([, block], forward) => (block === "pending" ? "0x1" : forward());
    await w.queue.tick();
    assert.equal(w.raws.length, 2);
  });

  it("out of reach makes intents move down, and what was signed above is held by fillers", async () => {
    const w = await world();
    w.answers.eth_getTransactionCount = () => toHex(1_000);
    await w.queue.submit(intent("a"));
    delete w.answers.eth_getTransactionCount;
    w.clock.time += minute;
    await w.queue.tick();
    assert.equal(w.queue.pending()[0]!.nonce, 0);
    await w.queue.tick();
    mine(w, 1);
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.chain.effects(sure), 1);
  });
});

describe("a nonce that another program has used", () => {
  it("is asked for once a head, and given up when its transaction is final", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    const [own] = [...w.chain.known.keys()] as [Hex];
    w.chain.known.delete(own);
    await w.chain.add(await foreign(w.chain));
    mine(w, 1);
    await w.queue.tick();
    const before = w.asked.length;
    await w.queue.tick();
    const again = w.asked.slice(before).filter((method) => method === "eth_getBlockByNumber");
    assert.deepEqual(again, [], "nothing new can be found");
    for (let i = 0; i < finality - 2; i++) w.chain.mine(0);
    await w.queue.tick();
    assert.equal(w.queue.pending()[0]!.nonce, 0, "it can still be taken back");
    w.chain.mine(0);
    await w.queue.tick();
    assert.equal(w.queue.pending()[0]!.nonce, 1);
    assert.equal(sent(w).at(-1)!.nonce, 1);
    mine(w, 1);
    assert.equal((await w.queue.wait("a")).status, "success");
  });

  it("is the intent's own where only its receipt is missing, and it tells that it waits", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    mine(w, 1);
    for (let i = 0; i < finality; i++) w.chain.mine(0);
    w.answers.eth_getTransactionReceipt = () => null;
    await w.queue.tick();
    assert.deepEqual(w.named("waiting"), [{ key: "a", reason: "no quorum has its receipt" }]);
    assert.equal(w.queue.pending()[0]!.nonce, 0);
    delete w.answers.eth_getTransactionReceipt;
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.raws.length, 1);
  });
});

describe("a look at the chain", () => {
  it("asks nothing where nothing is under way, and is one look for all who ask at once", async () => {
    const w = await world();
    const before = w.asked.length;
    await w.queue.tick();
    assert.equal(w.asked.length, before);
    await w.queue.submit(intent("a"));
    const looks = () => w.asked.filter((method) => method === "eth_blockNumber").length;
    const first = looks();
    await Promise.all([w.queue.tick(), w.queue.tick(), w.queue.tick()]);
    assert.equal(looks(), first + 1);
    await w.queue.tick();
    assert.equal(looks(), first + 2);
  });

  it("goes on at intervals until it is stopped, whatever endpoints do, and ends at what is no endpoint's fault", async () => {
    const w = await world({ pollInterval: 50 });
    await w.queue.submit(intent("a"));
    w.answers.eth_blockNumber = broken;
    const stop = new AbortController();
    const sleep = w.clock.sleep.bind(w.clock);
    const pauses: number[] = [];
    w.clock.sleep = async (milliseconds, signal) => {
      pauses.push(milliseconds);
      if (pauses.filter((each) => each === 50).length === 3) stop.abort();
      await sleep(milliseconds, signal);
    };
    await w.queue.run(stop.signal);
    assert.equal(pauses.filter((each) => each === 50).length, 3);
    assert.equal(w.named("failed").length, 3);
    w.state.close();
    await assert.rejects(w.queue.run(new AbortController().signal));
  });

  it("gives endpoints time to find the receipt of what was mined, and not for ever", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    mine(w, 1);
    await w.queue.tick();
    let missing = 29;
    w.answers.eth_getTransactionReceipt = (_, forward) => (missing-- > 0 ? null : forward());
    const before = w.clock.time;
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.clock.time - before, 29_000);
    w.answers.eth_getTransactionReceipt = () => null;
    await assert.rejects(w.queue.wait("a"), (error: unknown) => {
      assert.ok(error instanceof RpcUnavailableError);
      assert.match(error.message, /^no endpoint has the receipt of 0x[0-9a-f]{64}, which was mined$/);
      return true;
    });
  });

  it("sends again what a reorganisation took back, to whoever was told or not", async () => {
    for (const isTold of [true, false]) {
      const w = await world(isTold ? {} : { confirmations: 3 });
      await w.queue.submit(intent("a"));
      w.chain.mine();
      await w.queue.tick();
      assert.equal(w.queue.pending().length, isTold ? 0 : 1);
      w.chain.blocks.length -= 1;
      w.chain.mine(0);
      w.chain.mine(0);
      const before = w.raws.length;
      await w.queue.tick();
      assert.equal(w.queue.pending().length, 1);
      assert.equal(w.raws.length, before + 1);
      for (let i = 0; i < 3; i++) w.chain.mine();
      await w.queue.wait("a");
      assert.equal(w.chain.effects(sure), 1);
    }
  });
});

describe("the depth of a block", () => {
  it("makes nothing final before that is sure", () => {
    const of = (head: bigint, sure: bigint, finality = 6) => depthOf(10n, { head, sure }, finality);
    assert.deepEqual([of(10n, 10n), of(14n, 14n), of(15n, 15n), of(90n, 90n)], [1n, 5n, 6n, 81n]);
    assert.deepEqual([of(15n, 14n), of(90n, 9n), of(90n, 15n)], [5n, 5n, 81n]);
    assert.equal(of(10n, 10n, 1), 1n);
  });
});
