import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { learningRateAt } from "../../../../keepers/src/core/exact/schedule.ts";
import { scheduleOf, shareOf } from "../../../../keepers/src/training/config/hyper-parameters.ts";

const counts = { steps: 1000, stepsPerEpoch: 100 };

describe("hyper-parameters", () => {
  it("become the integers of the MNIST recipe", () => {
    const schedule = scheduleOf({ kind: "step", start: 0.02, factor: 0.1, afterEpochs: [8, 4] }, counts);
    assert.deepEqual(
      [0, 399, 400, 799, 800, 999].map((step) => learningRateAt(schedule, step)),
      [1311, 1311, 131, 131, 13, 13],
    );
    assert.equal(shareOf("momentum", 0.9), 58982);
    assert.equal(shareOf("weightDecay", "5e-4"), 33);
    assert.equal(learningRateAt(scheduleOf("0.05", counts), 999), 3277);
  });

  it("round each product of a step schedule once, from the exact decimal", () => {
    // 0.3·0.7² = 0.147 exactly; in units of 2^-16 that is 9633.792.
    const schedule = scheduleOf({ kind: "step", start: 0.3, factor: 0.7, afterEpochs: [1, 2] }, counts);
    assert.deepEqual(schedule.table, [19661, 13763, 9634]);
  });

  it("follow half a cosine down from a warm-up", () => {
    const schedule = scheduleOf({ kind: "cosine", start: 0.5, end: 0, warmUpEpochs: 2 }, counts);
    const rates = Array.from({ length: 1000 }, (_, step) => learningRateAt(schedule, step));
    for (let step = 1; step < 1000; step++) {
      if (step < 150) assert.ok(rates[step]! > rates[step - 1]!);
      if (step >= 200) assert.ok(rates[step]! <= rates[step - 1]!);
    }
    assert.ok(Math.abs(rates[500]! - 16384) <= 1, "half way down in the middle");
  });

  it("take a table as it is", () => {
    const schedule = scheduleOf({ kind: "table", values: [5, 6], every: 10 }, counts);
    assert.deepEqual(schedule, { table: [5, 6], every: 10 });
  });

  it("refuse what 16 bits cannot hold, and what would become nothing, and name the key", () => {
    assert.throws(() => shareOf("momentum", 1), /the key momentum is refused/i);
    assert.throws(() => shareOf("weightDecay", -0.1), /the key weightDecay is refused/i);
    assert.throws(() => shareOf("weightDecay", 7e-6), /less than half of 1\/65536/);
    assert.throws(() => scheduleOf(0, counts), /a learning rate of 0 trains nothing/);
    assert.throws(
      () => scheduleOf({ kind: "step", start: 0.1, factor: 0.001, afterEpochs: [1, 2] }, counts),
      /learningRate\.factor/,
    );
  });
});
