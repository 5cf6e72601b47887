import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import {
  initializeSlot,
  initialState,
  uniformBound,
} from "../../../../../keepers/src/core/exact/random/initialize.ts";
import type { Initializer, Slot } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { randomBytes, seededRandom } from "../../erasure/random.ts";
import { recordedRefusals } from "../../refusals.ts";
import { sampleProgram } from "../sample-program.ts";
import { initialMantissa } from "./reference.ts";

const throws = recordedRefusals("exact/random/initialize");

const seed = randomBytes(seededRandom(331), 32);
const slot = (shape: number[], initializer: Initializer): Slot => ({
  name: "weight",
  role: "weight",
  layout: { dtype: "I32", shape, rowAxes: 1 },
  exponent: -28,
  initializer,
});

describe("initialisation", () => {
  it("equals a bigint realisation element by element", () => {
    for (const fanIn of [1, 2, 25, 400, 784, 2 ** 24]) {
      const bound = uniformBound(fanIn);
      assert.ok(BigInt(bound) ** 2n * BigInt(fanIn) <= 2n ** 56n);
      assert.ok(BigInt(bound + 1) ** 2n * BigInt(fanIn) > 2n ** 56n);
      const mantissas = initializeSlot(slot([20, 50], { kind: "uniform", fanIn }), 7, seed);
      mantissas.forEach((mantissa, i) => {
        assert.equal(BigInt(mantissa), initialMantissa(seed, 7, BigInt(i), BigInt(bound)), `element ${i}`);
      });
    }
  });

  it("spreads over the whole range and stays inside", () => {
    const bound = uniformBound(100);
    const mantissas = initializeSlot(slot([100, 100], { kind: "uniform", fanIn: 100 }), 0, seed);
    const bins = new Uint32Array(10);
    for (const mantissa of mantissas) {
      assert.ok(Math.abs(mantissa) <= bound);
      bins[Math.min(9, Math.floor(((mantissa + bound) / (2 * bound + 1)) * 10))]!++;
    }
    const statistic = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    assert.ok(statistic < 40, `chi-square ${statistic} at 9 degrees of freedom`);
  });

  it("differs between slots and seeds", () => {
    const uniform = slot([64], { kind: "uniform", fanIn: 64 });
    const first = initializeSlot(uniform, 0, seed);
    assert.notDeepEqual(first, initializeSlot(uniform, 1, seed));
    assert.notDeepEqual(first, initializeSlot(uniform, 0, randomBytes(seededRandom(332), 32)));
    assert.deepEqual(first, initializeSlot(uniform, 0, seed));
  });

  it("copies given mantissas, zeroes momenta, and refuses what does not fit", () => {
    const mantissas = Int32Array.of(5, -6, 7);
    const copy = initializeSlot(slot([3], { kind: "given", mantissas }), 0, seed);
    assert.deepEqual(copy, mantissas);
    assert.notEqual(copy, mantissas);
    assert.deepEqual(initializeSlot(slot([2, 2], { kind: "zero" }), 0, seed), new Int32Array(4));
    throws(() => initializeSlot(slot([4], { kind: "given", mantissas }), 0, seed), BadInputError);
    for (const fanIn of [0, -1, 1.5]) {
      throws(() => initializeSlot(slot([4], { kind: "uniform", fanIn }), 0, seed), BadInputError);
    }
    const state = initialState(sampleProgram, seed);
    state.forEach((slotState, i) => {
      assert.deepEqual(slotState, initializeSlot(sampleProgram.state[i]!, i, seed));
    });
  });
});
