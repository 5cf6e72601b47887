import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseInterval, hashingShare } from "../../../../keepers/src/training/trainer/interval.ts";

describe("the interval that is chosen", () => {
  it("is the least with which hashing takes at most 5 % of the time", () => {
    for (const costs of [
      { step: 4e-3, state: 3e-3, witness: 2e-5 },
      { step: 1, state: 3e-3, witness: 2e-5 },
      { step: 1e-3, state: 1e-3, witness: 1e-5 },
    ]) {
      const interval = chooseInterval(costs, 100_000);
      const share = (steps: number) => (costs.state + steps * costs.witness) / (steps * costs.step);
      assert.ok(share(interval) <= hashingShare);
      if (interval > 1) assert.ok(share(interval - 1) > hashingShare);
    }
  });

  it("stays below its limits where steps are too short for that, and is never longer than the run", () => {
    assert.equal(chooseInterval({ step: 1e-5, state: 1e-5, witness: 1e-5 }, 100_000), 100);
    assert.equal(chooseInterval({ step: 1e-9, state: 1, witness: 1 }, 100_000), 1024);
    assert.equal(chooseInterval({ step: 1e-5, state: 1, witness: 0 }, 7), 7);
  });
});
