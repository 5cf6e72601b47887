import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CandidatePool, operatorOrder } from "../../../../keepers/src/storage/client/assign.ts";

const operator = (i: number) => `0x${i.toString(16).padStart(40, "0")}` as const;
const candidates = Array.from({ length: 20 }, (_, i) => ({
  operator: operator(i + 1),
  stake: BigInt(1 + i),
}));
const bytes = (value: number) => new Uint8Array(32).fill(value);

describe("the order in which operators are asked", () => {
  it("is everybody's, each once, the same for all who know the seed", () => {
    const order = operatorOrder(candidates, bytes(1), bytes(2), 3);
    assert.deepEqual([...order].sort(), candidates.map((candidate) => candidate.operator).sort());
    assert.deepEqual(operatorOrder([...candidates].reverse(), bytes(1), bytes(2), 3), order);
  });

  it("differs with seed, dataset and segment", () => {
    const order = operatorOrder(candidates, bytes(1), bytes(2), 3).join();
    assert.notEqual(operatorOrder(candidates, bytes(9), bytes(2), 3).join(), order);
    assert.notEqual(operatorOrder(candidates, bytes(1), bytes(9), 3).join(), order);
    assert.notEqual(operatorOrder(candidates, bytes(1), bytes(2), 4).join(), order);
  });
});

describe("the pool of operators", () => {
  const [a, b, c] = [operator(1), operator(2), operator(3)];
  const pool = (places: [`0x${string}`, number][]) =>
    new CandidatePool(
      [
        [a, b, c],
        [a, b, c],
      ],
      new Map(places),
    );

  it("gives each operator one bundle of a segment, in the order of the draw", () => {
    const all = pool([
      [a, 9],
      [b, 9],
      [c, 9],
    ]);
    assert.deepEqual([all.next(0), all.next(0), all.next(0), all.next(0)], [a, b, c, undefined]);
    assert.equal(all.next(1), a);
  });

  it("never gives an operator more bundles than its stake backs", () => {
    const scarce = pool([
      [a, 1],
      [b, 2],
      [c, 0],
    ]);
    assert.deepEqual([scarce.next(0), scarce.next(0), scarce.next(0)], [a, b, undefined]);
    assert.deepEqual([scarce.next(1), scarce.next(1)], [b, undefined]);
  });

  it("leaves out holders in their segment alone, and failed operators everywhere", () => {
    const some = pool([
      [a, 9],
      [b, 9],
      [c, 9],
    ]);
    some.hold(0, a);
    some.exclude(b);
    assert.deepEqual([some.next(0), some.next(0)], [c, undefined]);
    assert.deepEqual([some.next(1), some.next(1)], [a, c]);
  });

  it("knows operators by their address, however it is written", () => {
    const mixed = new CandidatePool(
      [["0xAb00000000000000000000000000000000000000"]],
      new Map([["0xaB00000000000000000000000000000000000000", 1]]),
    );
    mixed.exclude("0xab00000000000000000000000000000000000000");
    assert.equal(mixed.next(0), undefined);
  });
});
