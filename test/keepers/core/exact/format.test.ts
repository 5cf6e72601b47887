import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  align,
  alignedExponent,
  alignNumber,
  biasAt,
  ceilLog2,
  divide,
  dividedExponent,
  floorDivide,
  integerSqrt,
  log2Exact,
  mantissaMax,
  requantizeShift,
  requantizeShiftNumber,
  rnd,
  rndNumber,
  sat,
  saturatingShift,
  saturatingShiftNumber,
  shift,
} from "../../../../keepers/src/core/exact/format.ts";

const top = 2 ** 52 - 1;
const values = [
  0,
  1,
  2,
  3,
  5,
  126,
  127,
  128,
  255,
  256,
  32767,
  32768,
  65535,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 40 + 1,
  top,
]
  .flatMap((value) => [value, -value])
  .map((value) => value + 0);

/** ⌊numerator / denominator + ½⌋ from comparisons alone: the integer q with q − ½ ≤ x < q + ½. */
function isHalfUp(q: bigint, numerator: bigint, denominator: bigint): boolean {
  const twice = 2n * numerator;
  return (2n * q - 1n) * denominator <= twice && twice < (2n * q + 1n) * denominator;
}

describe("exact format", () => {
  it("rounds half up for every sign and shift, the same for numbers and bigints", () => {
    for (const value of values) {
      for (let s = 0; s <= 62; s++) {
        const result = rnd(BigInt(value), s);
        assert.ok(isHalfUp(result, BigInt(value), 2n ** BigInt(s)), `rnd(${value}, ${s}) = ${result}`);
        assert.equal(BigInt(rndNumber(value, s)), result, `rndNumber(${value}, ${s})`);
      }
    }
  });

  it("saturates symmetrically, never to -2^31", () => {
    assert.equal(sat(-(2n ** 31n)), -(2n ** 31n) + 1n);
    assert.equal(sat(2n ** 80n), 2n ** 31n - 1n);
    assert.equal(sat(-7n), -7n);
  });

  it("shifts both ways by at most 62 and saturates the same for numbers and bigints", () => {
    assert.equal(shift(3n, -70), 3n * 2n ** 62n);
    assert.equal(shift(3n, 2), 1n);
    for (const value of values) {
      for (const t of [-2000, -63, -62, -30, -1, 0, 1, 5, 31, 61, 62, 63, 2000]) {
        assert.equal(
          BigInt(saturatingShiftNumber(value, t)),
          saturatingShift(BigInt(value), t),
          `${value} shifted by ${t}`,
        );
      }
    }
  });

  it("requantises with the smallest shift at which nothing is clipped", () => {
    for (const bits of [8, 16] as const) {
      for (const value of values.filter((v) => v >= 0)) {
        for (const exponent of [0, 100, -26, -500, -512, -513, -530, -600, -1100]) {
          const s = requantizeShift(BigInt(value), exponent, bits);
          assert.equal(requantizeShiftNumber(value, exponent, bits), s, `${value} at ${exponent}`);
          assert.ok(s >= 0 && exponent + s >= -512);
          const limit = BigInt(mantissaMax(bits));
          assert.ok(rnd(BigInt(value), s) <= limit && rnd(-BigInt(value), s) >= -limit);
          const isLeast = s === Math.max(0, -512 - exponent);
          if (!isLeast) assert.ok(rnd(BigInt(value), s - 1) > limit, `${s} is not the smallest for ${value}`);
        }
      }
    }
  });

  it("aligns terms with at most 20 bits to the left", () => {
    assert.equal(alignedExponent([-3, 5, 0]), -3);
    assert.equal(alignedExponent([-30, 5, -15]), -15);
    for (const from of [-60, -15, -4, 5]) {
      for (const mantissa of [-32767, -3, 0, 1, 32767]) {
        const aligned = align(BigInt(mantissa), from, -15);
        assert.equal(BigInt(alignNumber(mantissa, from, -15)), aligned);
        if (from < -15) assert.ok(isHalfUp(aligned, BigInt(mantissa), 2n ** BigInt(-15 - from)));
        else assert.equal(aligned, BigInt(mantissa) * 2n ** BigInt(from + 15));
      }
    }
  });

  it("clamps a bias to the accumulator's share", () => {
    assert.equal(biasAt(2n ** 31n - 1n, -60, 8), 2n ** 20n);
    assert.equal(biasAt(-(2n ** 31n) + 1n, -60, 16), -(2n ** 40n));
    assert.equal(biasAt(5n, -27, 8), 3n);
    assert.equal(biasAt(-5n, -27, 8), -2n);
  });

  it("divides by any count, exactly by the exponent where it is a power of two", () => {
    assert.equal(dividedExponent(-10, 8), -13);
    assert.equal(divide(77n, 8), 77n);
    assert.equal(dividedExponent(-10, 9), -18);
    for (const n of [3, 5, 9, 49, 100, 1000]) {
      for (const value of values) {
        assert.ok(isHalfUp(divide(BigInt(value), n), BigInt(value) * 256n, BigInt(n)), `${value} / ${n}`);
      }
    }
  });

  it("finds integer square roots, logarithms and floors", () => {
    for (const x of [0n, 1n, 2n, 3n, 4n, 15n, 16n, 2n ** 56n, 2n ** 56n - 1n, 2n ** 56n / 784n]) {
      const root = integerSqrt(x);
      assert.ok(root * root <= x && x < (root + 1n) * (root + 1n), `root of ${x}`);
    }
    assert.equal(log2Exact(2 ** 24), 24);
    assert.equal(log2Exact(2 ** 24 + 1), undefined);
    assert.deepEqual([1, 2, 3, 4, 5, 1024, 1025].map(ceilLog2), [0, 1, 2, 2, 3, 10, 11]);
    assert.equal(floorDivide(-7n, 2n), -4n);
    assert.equal(floorDivide(-8n, 2n), -4n);
  });
});
