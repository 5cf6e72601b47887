import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getAddress } from "viem";
import { turnOf } from "../../../keepers/src/roles/storage-node/turn.ts";
import { account, contextOf } from "./doubles.ts";

/** Contracts that list `count` operators in pages, as Staking does. */
function staking(count: number) {
  const all = Array.from({ length: count }, (_, i) => getAddress(account(0xabc0 + i * 7919)));
  return {
    all,
    reads: {
      Staking: {
        operatorCount: () => BigInt(all.length),
        operators: ([offset, limit]: [bigint, bigint]) =>
          all.slice(Number(offset), Number(offset) + Number(limit)),
      },
    },
  };
}

describe("the order in which operators take up work", () => {
  it("is the same for everybody, and gives each a place of its own", async () => {
    const { all, reads } = staking(9);
    for (const work of ["epoch:1", "epoch:2", "timeout:3:0xab"]) {
      const turns = await Promise.all(
        all.map((operator) => turnOf(contextOf(operator, reads).context, work)),
      );
      assert.deepEqual(
        [...turns].sort((a, b) => Number(a - b)),
        all.map((_, i) => BigInt(i)),
      );
    }
  });

  it("differs from work to work, so that nobody is always first", async () => {
    const { all, reads } = staking(5);
    const firsts = new Set<string>();
    for (let epoch = 0; epoch < 60; epoch++) {
      for (const operator of all) {
        if ((await turnOf(contextOf(operator, reads).context, `epoch:${epoch}`)) === 0n) firsts.add(operator);
      }
    }
    assert.equal(firsts.size, all.length);
  });

  it("does not depend on how an address is written", async () => {
    const { all, reads } = staking(5);
    const operator = all[3]!;
    assert.equal(
      await turnOf(contextOf(operator.toLowerCase() as `0x${string}`, reads).context, "x"),
      await turnOf(contextOf(operator, reads).context, "x"),
    );
  });

  it("reads lists of operators longer than a page", async () => {
    const { all, reads } = staking(450);
    const turns = new Set<bigint>();
    for (const operator of [all[0]!, all[199]!, all[200]!, all[449]!]) {
      turns.add(await turnOf(contextOf(operator, reads).context, "work"));
    }
    assert.equal(turns.size, 4);
    for (const turn of turns) assert.ok(turn >= 0n && turn < 450n);
  });

  it("puts an operator that is not listed somewhere, too", async () => {
    const { reads } = staking(3);
    const turn = await turnOf(contextOf(account(1), reads).context, "work");
    assert.ok(turn >= 0n && turn <= 3n);
  });
});
