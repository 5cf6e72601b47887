import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Challenge, extentOf, levelsOf } from "../../dapp/src/pages/parts/dispute-levels.ts";
import type { HistoryEvent } from "../../dapp/src/pages/parts/job-events.ts";

/** A dispute that was narrowed to leaf 1 of tensor 41 of step 137, as far as to this stage. */
function challenge(stages: readonly number[], also: Partial<Challenge> = {}): Challenge {
  const place = { firstStep: "137", steps: "1", place: "41", index: "1" };
  return {
    id: "7",
    status: "Open",
    checkpoint: 0,
    interval: "12",
    reward: "0",
    challenger: { id: "0x01" },
    ...place,
    moves: stages.map((stage, number) => ({
      ...place,
      number,
      stage,
      by: "0x01",
      timestamp: "1",
      transaction: "0x02",
    })),
    ...also,
  } as Challenge;
}

const extent = { steps: 264, size: 11, tensors: 64, leaves: 9 };
const labels = (...given: Parameters<typeof levelsOf>) => levelsOf(...given).map(({ label }) => label);

describe("a dispute as it is drawn", () => {
  it("is counted from 1 at every level, within what the level above has", () => {
    const ruled = { element: 101, leafFirst: 96, leafElements: 32 };
    const levels = levelsOf(challenge([1, 3, 6, 9]), extent, ruled);
    assert.deepEqual(
      levels.map(({ label }) => label),
      [
        "The training: 264 steps",
        "Interval 12, steps 133 to 143",
        "Step 138, the 6th of 11",
        "Tensor 42 of 64",
        "Leaf 2 of 9",
        "Element 102 of the tensor",
      ],
    );
    assert.deepEqual(
      levels.slice(1).map(({ from }) => from),
      [12 / 24, 5 / 11, 41 / 64, 1 / 9, 5 / 32],
    );
    for (const { from, width } of levels) assert.ok(from >= 0 && from + width <= 1 + 1e-9);
  });

  it("has the levels that the game has reached", () => {
    assert.deepEqual(labels(challenge([], { interval: String(2n ** 32n - 1n) }), extent), []);
    assert.equal(labels(challenge([1]), extent).length, 2);
    assert.equal(labels(challenge([1, 3]), extent).length, 3);
    assert.equal(labels(challenge([1, 3, 6]), { ...extent, tensors: 0 })[3], "Tensor 42");
  });

  it("counts the steps of a last interval that is shorter", () => {
    const last = challenge([1, 3], { interval: "2", firstStep: "22" });
    const [, interval, step] = labels(last, { ...extent, steps: 23 });
    assert.equal(interval, "Interval 2, steps 23 to 23");
    assert.equal(step, "Step 23, the 1st of 1");
  });

  it("takes the leaves of the tensor from where the game was in it, not from the lists around it", () => {
    const claim: unknown[] = Array(11).fill("0");
    [claim[7], claim[8]] = ["2", ["10", "4", "6"]];
    const position = (leaves: number) =>
      Array.from({ length: 20 }, (_, field) => String(field === 12 ? leaves : 0));
    const said = (name: string, parameters: object, logIndex: number) =>
      ({
        id: String(logIndex),
        block: "1",
        timestamp: "1",
        contract: "DisputeGame",
        name,
        parameters: JSON.stringify({ challengeId: "7", ...parameters }),
        sender: "0x01",
        transaction: "0x02",
        logIndex,
      }) satisfies HistoryEvent;
    const events = [
      said("Challenged", { claim }, 0),
      said("Moved", { stage: "5", position: position(50) }, 1),
      said("Moved", { stage: "6", position: position(9) }, 2),
      said("Moved", { stage: "9", position: position(9) }, 3),
      said("Moved", { challengeId: "8", stage: "9", position: position(99) }, 4),
      said("Moved", { stage: "18", position: position(70) }, 5),
    ];
    assert.deepEqual(extentOf("7", events, { steps: 264, size: 11 }), { ...extent, tensors: 50 });
  });
});
