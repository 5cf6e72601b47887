import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkpointSteps,
  checkpointsOf,
  ownerOf,
  packSums,
  type Role,
  type Round,
  rangesOf,
  type StageName,
  searchedLeaves,
  stageOf,
  stages,
  unpackSums,
} from "../../../../keepers/src/training/dispute/moves.ts";

const at = (stage: StageName): Round => ({ stage: stages.indexOf(stage) }) as Round;

describe("the rounds of a dispute", () => {
  it("belong to the side that has to move: who posts is the provider, who names is the challenger", () => {
    const owned = (role: Role | undefined) => stages.filter((stage) => ownerOf(at(stage)) === role);
    assert.deepEqual(owned("challenger"), [
      "Step",
      "Node",
      "Leaf",
      "Element",
      "Sum",
      "TraceName",
      "StateName",
    ]);
    assert.deepEqual(owned(undefined), ["None", "Closed"]);
    assert.equal(owned("provider").length, stages.length - 9);
  });

  it("have stages by the codes of the contract, and none by any other", () => {
    assert.equal(stageOf({ stage: 1 } as Round), "States");
    assert.equal(stageOf({ stage: 20 } as Round), "MemberLeaves");
    assert.equal(stageOf({ stage: 22 } as Round), "None");
  });
});

describe("what a dispute is cut into", () => {
  it("is at most 64 ranges of products, as wide as each other but for the last, and all of them", () => {
    assert.deepEqual(rangesOf({ from: 0, to: 3 }), [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 3 },
    ]);
    const many = rangesOf({ from: 100, to: 230 });
    assert.equal(many.length, 44);
    assert.deepEqual(many[0], { from: 100, to: 103 });
    assert.deepEqual(many.at(-1), { from: 229, to: 230 });
    assert.equal(rangesOf({ from: 0, to: 6_400 }).length, 64);
    assert.equal(rangesOf({ from: 0, to: 6_401 }).length, 64);
    assert.deepEqual(rangesOf({ from: 0, to: 6_401 }).at(-1), { from: 6_363, to: 6_401 });
  });

  it("is at most 32 checkpoints of steps, the last of them at the end", () => {
    assert.deepEqual(checkpointsOf(1), { count: 1, width: 1 });
    assert.deepEqual(checkpointsOf(32), { count: 32, width: 1 });
    assert.deepEqual(checkpointsOf(33), { count: 17, width: 2 });
    assert.deepEqual(checkpointSteps(10, 3), [11, 12, 13]);
    const steps = checkpointSteps(64, 33);
    assert.deepEqual([steps[0], steps[15], steps[16], steps.length], [66, 96, 97, 17]);
  });

  it("is leaves of a trace, every one of few, evenly spread ones of many", () => {
    assert.deepEqual(searchedLeaves({ from: 0n, to: 3n }), [1, 2, 3]);
    assert.deepEqual(searchedLeaves({ from: 5n, to: 7n }), [6, 7]);
    // 200 leaves have 8 levels: two rounds of four.
    const many = searchedLeaves({ from: 1_000n, to: 1_200n });
    assert.deepEqual([many.length, many[0], many.at(-2), many.at(-1)], [16, 1_013, 1_195, 1_200]);
  });
});

describe("sums as they are posted", () => {
  it("come back as they were, of either sign and up to the largest", () => {
    const sums = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 123_456_789_012n];
    const packed = packSums(sums);
    assert.equal(packed.length, 2 + 16 * sums.length);
    assert.equal(packed.slice(0, 50), `0x${"00".repeat(8)}${"00".repeat(7)}01${"ff".repeat(8)}`);
    assert.deepEqual(unpackSums(packed), sums);
    assert.deepEqual(unpackSums("0x"), []);
  });
});
