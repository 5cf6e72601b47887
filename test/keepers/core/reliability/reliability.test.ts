import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { lossProbability } from "../../../../keepers/src/core/reliability/loss.ts";
import { xoshiro128 } from "../../../../keepers/src/core/reliability/random.ts";
import { simulateLoss } from "../../../../keepers/src/core/reliability/simulate.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("reliability/reliability");

/** Sums over all 2^n patterns of failed nodes. */
function enumerate(k: number, n: number, p: number): number {
  let loss = 0;
  for (let pattern = 0; pattern < 2 ** n; pattern++) {
    let probability = 1;
    let left = 0;
    for (let node = 0; node < n; node++) {
      const failed = (pattern >> node) & 1;
      probability *= failed === 1 ? p : 1 - p;
      left += 1 - failed;
    }
    if (left < k) loss += probability;
  }
  return loss;
}

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) <= 1e-11 * expected, `${actual} is not ${expected}`);

describe("probability of loss", () => {
  it("is the sum over all patterns of failures", () => {
    for (const [k, n] of [
      [8, 11],
      [1, 3],
      [3, 4],
      [5, 12],
      [2, 2],
    ] as const) {
      for (const p of [0.5, 0.1, 0.013, 1e-4])
        close(lossProbability({ k, n, failure: p }), enumerate(k, n, p));
    }
  });

  it("keeps full precision where it is tiny", () => {
    close(lossProbability({ k: 1, n: 3, failure: 1e-9 }), 1e-27);
    // The leading term, C(11, 4)·p^4, is right to a relative 7·p.
    const tiny = lossProbability({ k: 8, n: 11, failure: 1e-12 });
    assert.ok(Math.abs(tiny / 330e-48 - 1) < 1e-11);
    const wide = lossProbability({ k: 48, n: 255, failure: 0.1 });
    assert.ok(wide > 0 && wide < 1e-100);
  });

  it("is 0, 1 and one half where it must be", () => {
    assert.equal(lossProbability({ k: 8, n: 11, failure: 0 }), 0);
    assert.equal(lossProbability({ k: 8, n: 11, failure: 1 }), 1);
    assert.equal(lossProbability({ k: 3, n: 5, failure: 0.5 }), 0.5);
    assert.equal(lossProbability({ k: 1, n: 1, failure: 0.25 }), 0.25);
  });

  it("refuses what is no code and no probability", () => {
    for (const [k, n, failure] of [
      [0, 3, 0.1],
      [4, 3, 0.1],
      [8, 256, 0.1],
      [1.5, 3, 0.1],
      [1, 3, -0.1],
      [1, 3, 1.1],
      [1, 3, Number.NaN],
    ] as const) {
      throws(() => lossProbability({ k, n, failure }), BadInputError);
    }
  });
});

describe("simulated loss", () => {
  it("draws the words of xoshiro128** that its authors' code gives", () => {
    const next = xoshiro128([1, 2, 3, 4]);
    const words = Array.from({ length: 10 }, next);
    assert.deepEqual(
      words,
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
    );
  });

  it("agrees with the formula within its 99.9 % interval, also where no trial would show a loss unweighted", () => {
    let seed = 1;
    for (const [k, n] of [
      [8, 11],
      [1, 3],
      [8, 24],
      [48, 60],
    ] as const) {
      for (const failure of [0.3, 0.1, 0.01, 0.001]) {
        const exact = lossProbability({ k, n, failure });
        const { estimate, low, high } = simulateLoss({ k, n, failure, trials: 20_000, seed: seed++ });
        assert.ok(
          low <= exact && exact <= high,
          `(${k}, ${n}) at ${failure}: ${exact} not in ${low} … ${high}`,
        );
        assert.ok(high - low < exact, `(${k}, ${n}) at ${failure}: ${estimate} is too vague`);
      }
    }
  });

  it("is the same for the same seed and another for another", () => {
    const run = (seed: number) => simulateLoss({ k: 8, n: 11, failure: 0.1, trials: 1000, seed }).estimate;
    assert.equal(run(5), run(5));
    assert.notEqual(run(5), run(6));
  });

  it("gives certainties their value", () => {
    assert.equal(simulateLoss({ k: 8, n: 11, failure: 1, trials: 100, seed: 1 }).estimate, 1);
    assert.equal(simulateLoss({ k: 8, n: 11, failure: 0, trials: 100, seed: 1 }).estimate, 0);
  });
});
