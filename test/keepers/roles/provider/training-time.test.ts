import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isShortOfTime, problemOfTime } from "../../../../keepers/src/roles/provider/training-time.ts";

describe("the time that a provider needs for a job", () => {
  it("is twice that of its steps, and five minutes for its result", () => {
    assert.equal(problemOfTime({ steps: 1_000, secondsPerStep: 1, trainingTime: 2_300 }), undefined);
    assert.match(
      problemOfTime({ steps: 1_000, secondsPerStep: 1, trainingTime: 2_299 })!,
      /^it would take 1000 s of the 2299 s/,
    );
  });

  it("attack: is never next to nothing, however small a job is: whoever placed its result would be late", () => {
    assert.match(
      problemOfTime({ steps: 1, secondsPerStep: 0.001, trainingTime: 10 })!,
      /300 s are needed to store its result$/,
    );
  });
});

describe("the time that is left of a job", () => {
  it("is short when the rest would take two thirds of it, besides five minutes for the result", () => {
    const rest = { steps: 1_000, secondsPerStep: 1 };
    assert.equal(isShortOfTime({ ...rest, secondsLeft: 1_800 }), false);
    assert.equal(isShortOfTime({ ...rest, secondsLeft: 1_799 }), true);
  });

  it("is not short when a job begins that a provider took, however little it asks for", () => {
    for (const steps of [1, 1_000, 1_000_000]) {
      const job = { steps, secondsPerStep: 2 };
      const trainingTime = 4 * steps + 300;
      assert.equal(problemOfTime({ ...job, trainingTime }), undefined);
      assert.equal(isShortOfTime({ ...job, secondsLeft: trainingTime - steps / 2 }), false);
    }
  });
});
