import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  drawVectors,
  errorBitsOf,
  planVectors,
  staysExact,
  type VectorPlan,
} from "../../../../keepers/src/core/exact/freivalds/vectors.ts";
import { seedOf } from "./support.ts";

/** All points of [least, most]^length. */
function points(length: number, least: number, most: number): number[][] {
  if (length === 0) return [[]];
  const rest = points(length - 1, least, most);
  const range = Array.from({ length: most - least + 1 }, (_, i) => least + i);
  return range.flatMap((first) => rest.map((others) => [first, ...others]));
}

test("over all vectors of a few bits, no difference is missed more often than 1 in 2^bits", () => {
  for (const [length, bits, reach] of [
    [2, 1, 4],
    [2, 3, 6],
    [3, 2, 3],
  ] as const) {
    const vectors = points(length, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1);
    let worst = 0;
    for (const difference of points(length, -reach, reach)) {
      if (difference.every((d) => d === 0)) continue;
      const missed = vectors.filter((r) => r.reduce((sum, x, i) => sum + x * difference[i]!, 0) === 0);
      worst = Math.max(worst, missed.length / vectors.length);
    }
    assert.equal(worst, 2 ** -bits, "the bound is met by some difference and passed by none");
  }
});

test("drawn entries take every value of their range alike, and other seeds and nodes give others", () => {
  const plan: VectorPlan = { length: 5000, vectors: 2, bits: 3, limbBits: 0 };
  const entries = drawVectors(seedOf(1), 4, plan);
  const counts = new Map<number, number>();
  for (const entry of entries) counts.set(entry, (counts.get(entry) ?? 0) + 1);
  assert.deepEqual(
    [...counts.keys()].sort((a, b) => a - b),
    [-4, -3, -2, -1, 0, 1, 2, 3],
  );
  // 1,250 expected, standard deviation 33.
  for (const count of counts.values()) assert.ok(Math.abs(count - 1250) < 200, `${count}`);
  assert.deepEqual(drawVectors(seedOf(1), 4, plan), entries);
  assert.notDeepEqual(drawVectors(seedOf(2), 4, plan), entries);
  assert.notDeepEqual(drawVectors(seedOf(1), 5, plan), entries);
  const whole = drawVectors(seedOf(1), 0, { length: 200, vectors: 1, bits: 32, limbBits: 0 });
  assert.ok(whole.every((entry) => entry >= -(2 ** 31) && entry < 2 ** 31));
  assert.ok(whole.some((entry) => Math.abs(entry) > 2 ** 30));
});

test("plans reach their error and keep the worst sums exact, with one bit more they would not", () => {
  for (const combined of [127, 222, 32767]) {
    for (const terms of [1, 25, 400, 50_176]) {
      for (const length of [6, 64, 4096]) {
        const bounds = { terms, combined, other: combined === 127 ? 127 : 32767 };
        for (const plan of planVectors(bounds, length, 60)) {
          assert.ok(errorBitsOf(plan) >= 60);
          if (plan.bits === 0) continue;
          const { bits, limbBits } = plan;
          const weight = BigInt(length) * 2n ** BigInt(bits - 1);
          const operand = weight * BigInt(combined);
          const product = operand * BigInt(terms) * BigInt(bounds.other);
          if (limbBits === 0) {
            assert.ok(product <= 2n ** 53n);
            assert.ok(bits === 32 || 2n * product > 2n ** 53n);
          } else {
            const half = 2n ** BigInt(limbBits - 1);
            assert.ok(operand < 2n ** 52n);
            assert.ok(BigInt(terms * bounds.other) * half + weight * half <= 2n ** 53n);
            assert.ok(2n * (product >> BigInt(limbBits)) <= 2n ** 53n);
          }
        }
      }
    }
  }
});

test("limbs carry sums that have no room for a random factor beside them", () => {
  const bounds = { terms: 2 ** 21, combined: 32767, other: 32767 };
  const plans = planVectors(bounds, 4096, 60);
  assert.ok(!staysExact(bounds, 4096, 1, 0));
  assert.ok(plans.some(({ limbBits, bits }) => limbBits > 0 && bits > 0));
});

test("an axis no longer than the vectors are many is checked entry by entry, without chance", () => {
  const [plan] = planVectors({ terms: 9, combined: 127, other: 127 }, 2, 60);
  assert.deepEqual(plan, { length: 2, vectors: 2, bits: 0, limbBits: 0 });
  assert.equal(errorBitsOf(plan!), Number.POSITIVE_INFINITY);
  assert.deepEqual([...drawVectors(seedOf(1), 0, plan!)], [1, 0, 0, 1]);
});

test("an error that no key of 64 bits gives is refused", () => {
  for (const errorBits of [0, 65, 1.5, Number.NaN]) {
    assert.throws(() => planVectors({ terms: 1, combined: 1, other: 1 }, 9, errorBits), BadInputError);
  }
});
