import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, getAddress } from "viem";
import type { AssayEvent } from "../../../keepers/src/chain/contracts.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { lastTurn, turnOf } from "../../../keepers/src/roles/storage-node/turn.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { account, word } from "./doubles.ts";

/** Operators that hold bundles. */
function holders(count: number) {
  const all = Array.from({ length: count }, (_, i) => getAddress(account(0xabc0 + i * 7919)));
  const turn = (operator: Address, work: string) =>
    turnOf({ operator, ledger: { holders: () => all } as unknown as Ledger }, work);
  return { all, turn };
}

describe("the order in which operators take up work", () => {
  it("is the same for everybody, and gives each a place of its own", () => {
    const { all, turn } = holders(9);
    for (const work of ["epoch:1", "epoch:2", "timeout:3:0xab"]) {
      const turns = all.map((operator) => turn(operator, work));
      assert.deepEqual(
        [...turns].sort((a, b) => Number(a - b)),
        all.map((_, i) => BigInt(i)),
      );
    }
  });

  it("differs from work to work, so that nobody is always first", () => {
    const { all, turn } = holders(5);
    const firsts = new Set<string>();
    for (let epoch = 0; epoch < 60; epoch++)
      for (const operator of all) if (turn(operator, `epoch:${epoch}`) === 0n) firsts.add(operator);
    assert.equal(firsts.size, all.length);
  });

  it("does not depend on how an address is written", () => {
    const { all, turn } = holders(5);
    const operator = all[3]!;
    assert.equal(turn(operator.toLowerCase() as Address, "x"), turn(operator, "x"));
  });

  it("puts an operator that holds nothing somewhere, too, and takes nobody's place for it", () => {
    const { all, turn } = holders(3);
    const outsider = turn(account(1), "work");
    assert.ok(outsider >= 0n && outsider <= 3n);
    assert.deepEqual(all.map((operator) => turn(operator, "work")).sort(), [0n, 1n, 2n]);
  });

  it("keeps nobody waiting longer than its last turn, however many hold bundles", () => {
    const { all, turn } = holders(450);
    const turns = all.map((operator) => turn(operator, "work"));
    assert.equal(turns.filter((each) => each < lastTurn).length, Number(lastTurn));
    assert.ok(turns.every((each) => each <= lastTurn));
  });

  it("counts holders alone: accounts that have registered and hold nothing come before nobody", async () => {
    const state = openState({ path: ":memory:", schemas: [ledgerSchema] });
    const placed = {
      contract: "BundleRegistry",
      eventName: "BundlePlaced",
      blockNumber: 1n,
      blockHash: word(1),
      logIndex: 0,
    };
    const [holder, sybil] = [getAddress(account(0xb0b)), getAddress(account(0x5b11))];
    const args = { bundleId: word(2), datasetId: word(3), bundleIndex: 0, operator: holder, since: 1 };
    ledgerHandler.applied({ ...placed, args } as unknown as AssayEvent, state);
    const ledger = new Ledger(state);
    assert.deepEqual(ledger.holders(), [holder]);
    for (let i = 0; i < 50; i++) assert.equal(turnOf({ operator: holder, ledger }, `epoch:${i}`), 0n);
    assert.ok(turnOf({ operator: sybil, ledger }, "epoch:1") <= 1n);
    state.close();
  });
});
