import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemOfTime } from "../../../../keepers/src/roles/provider/training-time.ts";

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
