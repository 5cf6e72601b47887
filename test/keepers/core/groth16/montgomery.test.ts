import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import {
  g1FromMontgomery,
  g2FromMontgomery,
  readLittleEndian,
} from "../../../../keepers/src/core/groth16/montgomery.ts";

/** A coordinate as key files hold it, from the definition. */
function stored(value: bigint): number[] {
  const form = bn254.fields.Fp.mul(value, bn254.fields.Fp.create(1n << 256n));
  return Array.from({ length: 32 }, (_, i) => Number((form >> BigInt(8 * i)) & 255n));
}

describe("points of key files", () => {
  it("are read from the Montgomery form of their coordinates, wherever they stand", () => {
    for (const k of [1n, 2n, 7_919n]) {
      const g1 = bn254.G1.Point.BASE.multiply(k).toAffine();
      const g2 = bn254.G2.Point.BASE.multiply(k).toAffine();
      const bytes = Uint8Array.from([
        ...[9, 9, 9],
        ...[g1.x, g1.y, g2.x.c0, g2.x.c1, g2.y.c0, g2.y.c1].flatMap(stored),
      ]);
      assert.deepEqual(g1FromMontgomery(bytes, 3), g1);
      assert.deepEqual(g2FromMontgomery(bytes, 67), {
        x: { c0: g2.x.c0, c1: g2.x.c1 },
        y: { c0: g2.y.c0, c1: g2.y.c1 },
      });
      assert.deepEqual(g1FromMontgomery(bytes.slice(3)), g1);
      assert.equal(g2FromMontgomery(bytes.slice(67)).y.c1, g2.y.c1);
    }
  });

  it("have their lowest byte first", () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i + 1);
    let expected = 0n;
    for (let i = 31; i >= 0; i--) expected = (expected << 8n) | BigInt(bytes[5 + i]!);
    assert.equal(readLittleEndian(bytes.subarray(2), 3), expected);
  });
});
