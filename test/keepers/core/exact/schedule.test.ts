import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  constantSchedule,
  cosineSchedule,
  learningRateAt,
  requireSchedule,
  scaledRate,
  stepSchedule,
  withWarmUp,
} from "../../../../keepers/src/core/exact/schedule.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("exact/schedule");

describe("schedule", () => {
  it("repeats its last entry for ever", () => {
    const schedule = { table: [9, 8, 7], every: 10 };
    const rates = [0, 9, 10, 19, 20, 29, 30, 1000].map((step) => learningRateAt(schedule, step));
    assert.deepEqual(rates, [9, 9, 8, 8, 7, 7, 7, 7]);
  });

  it("scales rates to the nearest 16-bit integer and refuses others", () => {
    assert.equal(scaledRate(0.01), 655);
    assert.equal(scaledRate(0.5), 32768);
    assert.equal(scaledRate(0.5 / 65536), 1);
    assert.equal(scaledRate(3, 12), 12288);
    assert.deepEqual(constantSchedule(0.1), { table: [6554], every: 1 });
    for (const rate of [-0.1, 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      throws(() => scaledRate(rate), BadInputError, `${rate}`);
    }
  });

  it("changes at the epochs given", () => {
    const schedule = stepSchedule({
      rates: [
        { fromEpoch: 0, rate: 0.5 },
        { fromEpoch: 2, rate: 0.25 },
        { fromEpoch: 3, rate: 0.125 },
      ],
      stepsPerEpoch: 7,
    });
    assert.deepEqual(schedule, { table: [32768, 32768, 16384, 8192], every: 7 });
    assert.equal(learningRateAt(schedule, 13), 32768);
    assert.equal(learningRateAt(schedule, 14), 16384);
    const at = (...epochs: number[]) => ({
      rates: epochs.map((fromEpoch) => ({ fromEpoch, rate: 0.1 })),
      stepsPerEpoch: 7,
    });
    for (const wrong of [at(), at(1), at(0, 2, 2), at(0, 0.5), { ...at(0), stepsPerEpoch: 0 }]) {
      throws(() => stepSchedule(wrong), BadInputError);
    }
  });

  it("follows half a cosine to the nearest integer", () => {
    for (const [peak, final, steps, every] of [
      [0.5, 0, 1000, 1],
      [0.9, 0.1, 937, 10],
      [0.01, 0.02, 64, 1],
    ] as const) {
      const { table } = cosineSchedule({ peak, final, steps, every });
      const entries = Math.ceil(steps / every);
      assert.equal(table.length, entries);
      const [high, low] = [scaledRate(peak), scaledRate(final)];
      table.forEach((rate, i) => {
        const exact = low + ((high - low) * (1 + Math.cos((Math.PI * i) / entries))) / 2;
        assert.ok(Math.abs(rate - exact) <= 0.5 + 1e-9, `entry ${i}: ${rate}, not ${exact}`);
      });
    }
    const { table } = cosineSchedule({ peak: 0.5, steps: 4 });
    assert.deepEqual(table, [32768, 27969, 16384, 4799]);
    throws(() => cosineSchedule({ peak: 0.5, steps: 0 }), BadInputError);
    throws(() => cosineSchedule({ peak: 0.5, steps: 65_537 }), BadInputError);
    throws(() => cosineSchedule({ peak: 0.5, steps: 10, every: 0 }), BadInputError);
  });

  it("warms any schedule up and leaves the rest as it was", () => {
    const decay = cosineSchedule({ peak: 0.8, steps: 40, every: 4 });
    const warmed = withWarmUp(decay, { steps: 6, every: 2 });
    assert.equal(warmed.every, 2);
    for (let step = 0; step < 60; step++) {
      const rate = learningRateAt(decay, step);
      const begin = step - (step % 2);
      const expected = begin < 6 ? Math.round((rate * Math.min(6, begin + 2)) / 6) : rate;
      assert.equal(learningRateAt(warmed, step), expected, `step ${step}`);
    }
    const constant = withWarmUp(constantSchedule(0.5), { steps: 4 });
    assert.deepEqual(constant, { table: [8192, 16384, 24576, 32768], every: 1 });
    for (const wrong of [{ steps: 0 }, { steps: 6, every: 3 }, { steps: 6, every: 0 }, { steps: 1.5 }]) {
      throws(() => withWarmUp(decay, wrong), BadInputError);
    }
    throws(() => withWarmUp(constantSchedule(0.5), { steps: 65_537 }), BadInputError);
  });

  it("refuses tables that an order cannot hold", () => {
    for (const wrong of [
      { table: [], every: 1 },
      { table: [65_536], every: 1 },
      { table: [-1], every: 1 },
      { table: [0.5], every: 1 },
      { table: [1], every: 0 },
      { table: new Array<number>(65_537).fill(1), every: 1 },
    ]) {
      throws(() => requireSchedule(wrong), BadInputError);
    }
    requireSchedule({ table: [0, 65_535], every: 1 });
  });
});
