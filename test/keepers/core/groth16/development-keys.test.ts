import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { circuitSources } from "../../../../circuits/setup/circuits.ts";
import { publicTrapdoor } from "../../../../circuits/setup/dev-key.ts";
import {
  developmentDeltas,
  isDevelopmentKey,
} from "../../../../keepers/src/core/groth16/development-keys.ts";
import { encodeVerifyingKey } from "../../../../keepers/src/core/groth16/verifying-key.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("groth16/development-keys");

const g1 = (scalar: bigint) => {
  const { x, y } = bn254.G1.Point.BASE.multiply(scalar).toAffine();
  return { x, y };
};
const g2 = (scalar: bigint) => {
  const { x, y } = bn254.G2.Point.BASE.multiply(scalar).toAffine();
  return { x, y };
};
const order = bn254.fields.Fr.ORDER;

/** A key that differs from a circuit's in everything but gamma and delta. */
const keyWith = (gamma: bigint, delta: bigint) =>
  encodeVerifyingKey({ alpha: g1(3n), beta: g2(4n), gamma: g2(gamma), delta: g2(delta), ic: [g1(5n)] });

describe("development keys", () => {
  it("are those of every trapdoor that the set-up publishes, and of no other", () => {
    const published = Object.keys(circuitSources).map((label) => {
      const key = keyWith(1n, publicTrapdoor(label).delta);
      assert.equal(isDevelopmentKey(key), true, label);
      return [label, bytesToHex(keccak_256(key.subarray(320, 384)))];
    });
    assert.deepEqual(developmentDeltas, Object.fromEntries(published));
  });

  it("are those that nobody has contributed to, and the negatives of them all", () => {
    assert.equal(isDevelopmentKey(keyWith(1n, 1n)), true);
    assert.equal(isDevelopmentKey(keyWith(7n, order - 7n)), true);
    assert.equal(isDevelopmentKey(keyWith(1n, order - publicTrapdoor("covering").delta)), true);
  });

  it("are not those of a ceremony", () => {
    assert.equal(isDevelopmentKey(keyWith(1n, 123_456_789n)), false);
    throws(() => isDevelopmentKey(new Uint8Array(383)), /cannot have 383 bytes/);
  });
});
