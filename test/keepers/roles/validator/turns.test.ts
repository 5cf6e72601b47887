import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, getAddress } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { lastTurn } from "../../../../keepers/src/roles/storage-node/turn.ts";
import {
  CommitteeLedger,
  committeeHandler,
  committeeSchema,
} from "../../../../keepers/src/roles/validator/committee-ledger.ts";
import { Committees, type CommitteesParts } from "../../../../keepers/src/roles/validator/committees.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { account, word } from "../doubles.ts";

/** Validators as the chain tells of them, one event in each block. */
function validators() {
  const state = openState({ path: ":memory:", schemas: [committeeSchema] });
  const committees = new CommitteeLedger(state);
  let block = 0;
  const tell = (eventName: string, args: object) => {
    const at = { blockNumber: BigInt(++block), blockHash: word(block), logIndex: 0 };
    const event = { contract: "ValidatorSet", eventName, ...at, transactionHash: word(block), args };
    committeeHandler.applied(event as unknown as AssayEvent, state);
  };
  const operatorOf = (id: number) => getAddress(account(0xabc0 + id * 7919));
  return {
    committees,
    operatorOf,
    close: () => state.close(),
    enrol(id: number): void {
      const key = { g1: [1n, 2n], g2: [1n, 2n, 3n, 4n] };
      tell("Enrolled", { id: BigInt(id), operator: operatorOf(id), place: BigInt(id), key });
      this.weigh(id, 1n);
    },
    weigh: (id: number, weight: bigint) => tell("WeightSet", { id: BigInt(id), weight, fromRotation: 1n }),
    resign: (id: number) => tell("Resigned", { id: BigInt(id), exitAt: 1n }),
    release: (id: number) => tell("Released", { id: BigInt(id), operator: operatorOf(id), amount: 0n }),
    turn: (operator: Address, work: string, among?: readonly Address[]) =>
      new Committees({ operator, committees } as unknown as CommitteesParts).turn(work, among),
  };
}

describe("the order in which validators take up work", () => {
  it("attack: those that have left, or were slashed to nothing, come before nobody", () => {
    const all = validators();
    for (let id = 1; id <= 40; id++) all.enrol(id);
    // All but one of them, half by their own will.
    for (let id = 2; id <= 40; id++) {
      all.weigh(id, 0n);
      if (id % 2 === 0) all.resign(id);
    }
    for (let i = 0; i < 50; i++) assert.equal(all.turn(all.operatorOf(1), `draw:${i}`), 0);
    all.weigh(2, 3n);
    const [one, two] = [all.operatorOf(1), all.operatorOf(2)];
    const turns = Array.from({ length: 50 }, (_, i) => all.turn(one, `draw:${i}`));
    assert.deepEqual([...new Set(turns)].sort(), [0, 1], "who has raised its weight again has a place");
    assert.ok(
      turns.every((turn, i) => turn + all.turn(two, `draw:${i}`) === 1),
      "one acts, one waits",
    );
    all.close();
  });

  it("attack: keeps nobody waiting longer than the last turn, however many are enrolled", () => {
    const all = validators();
    for (let id = 1; id <= 200; id++) all.enrol(id);
    const turns = Array.from({ length: 200 }, (_, i) => all.turn(all.operatorOf(i + 1), "draw:1"));
    assert.equal(turns.filter((turn) => turn < lastTurn).length, Number(lastTurn));
    assert.ok(turns.every((turn) => turn <= lastTurn));
    const members = Array.from({ length: 64 }, (_, i) => all.operatorOf(i + 1));
    assert.ok(members.every((member) => all.turn(member, "attest:1:1", members) <= lastTurn));
    all.close();
  });

  it("knows whose places are to be released", () => {
    const all = validators();
    for (let id = 1; id <= 4; id++) all.enrol(id);
    // What it had before was lowered, and released.
    all.release(1);
    for (const id of [1, 2, 3]) all.weigh(id, 0n);
    all.resign(1);
    assert.deepEqual(
      [1n, 2n].map((id) => all.committees.hasResigned(id)),
      [true, false],
    );
    all.release(2);
    all.weigh(3, 1n);
    assert.deepEqual(all.committees.outgoing(), [1n]);
    assert.deepEqual(
      all.committees.present().map(({ id }) => id),
      [3n, 4n],
    );
    all.close();
  });
});
