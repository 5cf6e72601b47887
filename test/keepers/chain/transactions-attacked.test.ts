import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import type { Manners } from "./byzantine-chain.ts";
import { finality, foreign, intentOf, settle, Walk } from "./queue-walk.ts";

const { data } = intentOf(1);

async function begin(manners: Manners[]): Promise<Walk> {
  const walk = new Walk(1, manners);
  await walk.start();
  return walk;
}

/** Mines and looks, over and over. */
async function pass(walk: Walk, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    walk.chain.mine();
    walk.clock.time += 60_000;
    await walk.look();
  }
}

describe("attack: an endpoint that", () => {
  it("has no receipts beside right nonces makes no intent happen twice", async () => {
    const walk = await begin([{ forgets: 1 }]);
    await walk.submit(1);
    await pass(walk, 4 * finality);
    assert.equal(walk.chain.effects(data), 1);
    assert.equal(walk.chain.known.size, 1, "nothing else was signed");
    walk.manners = [{}];
    await settle(walk);
    assert.equal((await walk.queue.wait("k1")).status, "success");
    walk.state.close();
  });

  it("forges a receipt does not close an intent, beside two honest ones", async () => {
    const walk = await begin([{ forges: 1 }, {}, {}]);
    await walk.submit(1);
    walk.chain.mine(0);
    await pass(walk, 0);
    await walk.look();
    assert.equal(walk.queue.pending().length, 1);
    await settle(walk);
    assert.equal(walk.chain.effects(data), 1);
    walk.state.close();
  });

  it("gives receipts without a price, or with gas that is no number, keeps no intent from its end", async () => {
    for (const [field, value, noted] of [
      ["gasUsed", "zz", 1],
      ["effectiveGasPrice", null, 0],
    ] as const) {
      const twists = (method: string, answer: unknown) =>
        method === "eth_getTransactionReceipt" && answer !== null ? { ...answer!, [field]: value } : answer;
      const walk = await begin([{ twists }, {}, {}]);
      await walk.submit(1);
      await settle(walk);
      assert.deepEqual([walk.chain.effects(data), walk.queue.pending()], [1, []], field);
      assert.equal((await walk.queue.wait("k1")).status, "success");
      assert.ok(walk.client.health()[0]!.contradictions >= noted);
      walk.state.close();
    }
  });

  it("says that everything would fail keeps nothing from being sent, beside two honest ones", async () => {
    const walk = await begin([{ refuses: 1 }, {}, {}]);
    await walk.submit(1);
    assert.equal(walk.queue.pending().length, 1);
    await settle(walk);
    assert.equal(walk.chain.effects(data), 1);
    walk.state.close();
  });

  it("gives one wrong nonce does not make the account on disk useless", async () => {
    for (const wrong of [3, 1_000_000_000]) {
      const walk = await begin([{ counts: wrong }]);
      await walk.submit(1);
      assert.equal(walk.queue.pending()[0]!.nonce, wrong);
      walk.manners = [{}];
      await walk.start();
      await walk.submit(3);
      await pass(walk, 12 + finality);
      assert.deepEqual([walk.chain.effects(data), walk.chain.effects(intentOf(3).data)], [1, 1]);
      assert.deepEqual(walk.queue.pending(), []);
      await walk.submit(5);
      await pass(walk, 2);
      assert.equal(walk.chain.effects(intentOf(5).data), 1);
      walk.state.close();
    }
  });

  const header = {
    number: "0x0",
    hash: toHex(1, { size: 32 }),
    parentHash: toHex(0, { size: 32 }),
    timestamp: "0x1",
  };
  const lies: [string, Manners][] = [
    ["that everything would fail", { refuses: 1 }],
    ["that a call needs more gas than is allowed", { says: estimating(2n ** 40n) }],
    ["that a call needs more gas than the account can pay for", { says: estimating(14_000_000n) }],
    ["that a block costs more than the account has", { says: basing(10n ** 30n) }],
    ["that a block costs nothing", { says: basing(0n) }],
    ["that the account has nothing", { says: (method) => (method === "eth_getBalance" ? "0x0" : undefined) }],
  ];
  function estimating(gas: bigint) {
    return (method: string) => (method === "eth_estimateGas" ? toHex(gas) : undefined);
  }
  function basing(fee: bigint) {
    return (method: string, [block]: readonly unknown[]) =>
      method === "eth_getBlockByNumber" && block === "latest"
        ? { ...header, baseFeePerGas: toHex(fee) }
        : undefined;
  }
  for (const [what, lie] of lies) {
    it(`says ${what} keeps nothing from being sent, and decides no fee, beside an honest one`, async () => {
      for (const at of [0, 1]) {
        const has = (method: string) => (method === "eth_getBalance" ? toHex(1_000_000n) : undefined);
        const walk = await begin([{ says: has }, { says: has }]);
        walk.manners[at] = { says: has, ...lie };
        await walk.queue.submit(intentOf(1));
        const [sent] = [...walk.chain.known.values()];
        assert.equal(BigInt(sent!.json.maxFeePerGas as Hex), 15n);
        await settle(walk);
        assert.equal(walk.chain.effects(data), 1);
        walk.state.close();
      }
    });
  }

  it("names a head far ahead makes nothing final that a reorganisation can take back, beside an honest one", async () => {
    for (const [at, isSeenBefore] of [
      [0, false],
      [1, false],
      [0, true],
    ] as const) {
      const walk = new Walk(1, [{}, {}]);
      walk.maximumLag = 1;
      await walk.start();
      await walk.submit(1);
      walk.chain.mine();
      if (isSeenBefore) await walk.look();
      walk.manners[at] = {
        says: (method) => (method === "eth_blockNumber" ? toHex(walk.chain.head + 64) : undefined),
      };
      await walk.look();
      assert.deepEqual(walk.queue.pending(), [], "it is told all the same");
      walk.manners[at] = {};
      walk.chain.blocks.length -= 1;
      walk.chain.known.clear();
      walk.chain.mine(0);
      walk.chain.mine(0);
      assert.equal(walk.chain.effects(data), 0);
      await pass(walk, 1 + finality);
      assert.equal(walk.chain.effects(data), 1);
      assert.deepEqual(walk.state.get("SELECT final FROM intents")?.final, 1n);
      walk.state.close();
    }
  });

  it("says that other transactions of the account wait keeps a gap open for a while alone, beside an honest one", async () => {
    for (const at of [0, 1]) {
      const walk = await begin([{}, {}]);
      const seen = () => walk.chain.countAt(walk.chain.head) + 5 + walk.queue.pending().length;
      walk.manners[at] = {
        says: (method, [, block]) =>
          method === "eth_getTransactionCount" && block === "pending" ? toHex(seen()) : undefined,
      };
      for (const index of [1, 3]) await walk.submit(index);
      assert.ok(walk.queue.pending()[0]!.nonce > 0, "there is a gap");
      await pass(walk, 16);
      assert.deepEqual([walk.chain.effects(data), walk.chain.effects(intentOf(3).data)], [1, 1]);
      walk.state.close();
    }
  });

  for (const wrong of [1_000, 2 ** 40, 2 ** 53, 1e30]) {
    it(`names ${wrong} as the next nonce has none given out but the next one, beside an honest one`, async () => {
      for (const manners of [
        [{ counts: wrong }, {}],
        [{}, { counts: wrong }],
      ]) {
        const walk = await begin(manners);
        for (const index of [1, 3]) await walk.submit(index);
        assert.deepEqual(
          walk.queue.pending().map(({ nonce }) => nonce),
          [0, 1],
        );
        await settle(walk);
        assert.deepEqual([walk.chain.effects(data), walk.chain.effects(intentOf(3).data)], [1, 1]);
        walk.state.close();
      }
    });
  }

  it("names as the next nonce what no account has sent is not believed, also where it is the only one", async () => {
    const walk = await begin([{ counts: 2 ** 53 }]);
    for (const index of [1, 3]) {
      await assert.rejects(walk.queue.submit(intentOf(index)), /no account has sent 9007199254740992/);
    }
    assert.deepEqual(walk.queue.pending(), []);
    walk.manners = [{}];
    await walk.submit(1);
    await settle(walk);
    assert.equal(walk.chain.effects(data), 1);
    walk.state.close();
  });

  it("has once given a nonce for which nobody can sign keeps neither that intent nor others from being sent", async () => {
    const walk = await begin([{}]);
    await walk.submit(1);
    // What an earlier version wrote.
    walk.state.run("UPDATE intents SET nonce = ?", 2n ** 53n);
    walk.state.run("DELETE FROM attempts");
    walk.chain.known.clear();
    await pass(walk, 2);
    await walk.submit(3);
    await settle(walk);
    assert.deepEqual([walk.chain.effects(data), walk.chain.effects(intentOf(3).data)], [1, 1]);
    assert.equal(walk.chain.known.size, 2, "nothing was signed to hold that nonce");
    walk.state.close();
  });

  it("gives another count of nonces each time decides nothing, beside two honest ones", async () => {
    const walk = await begin([{ counts: 1_000_000_000 }, {}, {}]);
    await walk.submit(1);
    assert.equal(walk.queue.pending()[0]!.nonce, 0);
    await settle(walk);
    assert.equal(walk.chain.effects(data), 1);
    walk.state.close();
  });
});

describe("a nonce that another program of the account has used", () => {
  it("is given up for another one only when its transaction is final, and is found by its signature", async () => {
    const walk = await begin([{}]);
    await walk.submit(1);
    const own = [...walk.chain.known.keys()][0] as Hex;
    const other = await foreign(walk.chain);
    await walk.chain.add(other);
    const transaction = walk.chain.known.get(own)!;
    walk.chain.known.delete(own);
    walk.chain.mine();
    walk.chain.known.set(own, transaction);
    await walk.look();
    assert.equal(walk.queue.pending()[0]!.nonce, 0, "the block can still be taken back");
    for (let i = 0; i < finality; i++) walk.chain.mine(0);
    await walk.look();
    assert.equal(walk.queue.pending()[0]!.nonce, 1);
    await settle(walk);
    assert.equal(walk.chain.effects(data), 1);
    walk.state.close();
  });

  const hidings: [string, (transaction: Record<string, unknown>) => unknown][] = [
    ["gives its hash alone", ({ hash }) => hash],
    ["says nothing of it but its hash", ({ hash }) => ({ hash })],
    ["gives another nonce", (transaction) => ({ ...transaction, nonce: "0x7" })],
    ["gives other data", (transaction) => ({ ...transaction, input: "0x1234" })],
    ["gives another signature", (transaction) => ({ ...transaction, s: `0x${"11".repeat(32)}` })],
    ["gives an account that is a number", (transaction) => ({ ...transaction, from: 5 })],
  ];
  for (const [what, hide] of hidings) {
    it(`attack: is found although the endpoint that is asked first ${what}`, async () => {
      const twists = (method: string, answer: unknown, [, isWhole]: readonly unknown[]) => {
        if (method !== "eth_getBlockByNumber" || isWhole !== true || answer === null) return answer;
        const { transactions, ...header } = answer as { transactions: Record<string, unknown>[] };
        return { ...header, transactions: transactions.map(hide) };
      };
      const walk = await begin([{ twists }, {}, {}]);
      await walk.submit(1);
      const other = await foreign(walk.chain);
      walk.chain.known.clear();
      await walk.chain.add(other);
      walk.chain.mine();
      await pass(walk, 4 * finality);
      assert.deepEqual([walk.chain.effects(data), walk.queue.pending()], [1, []]);
      walk.state.close();
    });
  }

  it("is the intent's own when the state was restored from before the transaction", async () => {
    const walk = await begin([{}]);
    await walk.submit(1);
    // What the backup does not know: the attempt.
    walk.state.run("DELETE FROM attempts");
    walk.chain.mine();
    for (let i = 0; i < finality; i++) walk.chain.mine(0);
    await pass(walk, 2);
    assert.equal((await walk.queue.wait("k1")).status, "success");
    assert.equal(walk.chain.effects(data), 1);
    assert.equal(walk.chain.countAt(walk.chain.head), 1);
    walk.state.close();
  });
});

describe("the gas that a transaction asks for", () => {
  it("is at least the bound of its call, where others in its block can make it dearer", async () => {
    const walk = await begin([{}]);
    await walk.queue.submit({ ...intentOf(1), minimumGas: 300_000n });
    assert.equal(walk.queue.pending()[0]!.gas, 300_000n);
    walk.state.close();
  });

  it("is the middle one of what three endpoints say, with its margin", async () => {
    const walk = await begin([{ lies: 1 }, {}, {}]);
    await walk.submit(1);
    const { gas } = walk.queue.pending()[0]!;
    assert.equal(toHex(gas), toHex((21_000n * 5n) / 4n));
    walk.state.close();
  });
});
