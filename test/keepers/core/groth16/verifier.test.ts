import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { compressProof } from "../../../../keepers/src/core/groth16/compress.ts";
import { baseField, scalarField } from "../../../../keepers/src/core/groth16/field.ts";
import { readCompressedG2 } from "../../../../keepers/src/core/groth16/pairing.ts";
import type { VerifyingKey } from "../../../../keepers/src/core/groth16/types.ts";
import { Groth16FormatError } from "../../../../keepers/src/core/groth16/types.ts";
import type { Claim } from "../../../../keepers/src/core/groth16/verifier.ts";
import { Verifier } from "../../../../keepers/src/core/groth16/verifier.ts";
import {
  decodeVerifyingKey,
  encodeVerifyingKey,
} from "../../../../keepers/src/core/groth16/verifying-key.ts";
import { rerandomise } from "../../../circuits/rerandomise.ts";
import { recordedRefusals } from "../refusals.ts";
import { changeWord, keyBytes, publicSignals, strayPoint, vectors } from "./vectors.ts";

const throws = recordedRefusals("groth16/verifier");

const key = decodeVerifyingKey(keyBytes);
const first = vectors[0]!;

/** The equation of the paper, by noble. */
function nobleVerifies(
  proof: (typeof first)["proof"],
  signals: readonly bigint[],
  under: VerifyingKey,
): boolean {
  const G1 = bn254.G1.Point;
  const G2 = bn254.G2.Point;
  let inputs = G1.fromAffine(under.ic[0]!);
  for (const [i, signal] of signals.entries()) {
    inputs = inputs.add(G1.fromAffine(under.ic[i + 1]!).multiplyUnsafe(signal));
  }
  const product = bn254.pairingBatch([
    { g1: G1.fromAffine(proof.a).negate(), g2: G2.fromAffine(proof.b) },
    { g1: G1.fromAffine(under.alpha), g2: G2.fromAffine(under.beta) },
    { g1: inputs, g2: G2.fromAffine(under.gamma) },
    { g1: G1.fromAffine(proof.c), g2: G2.fromAffine(under.delta) },
  ]);
  return bn254.fields.Fp12.eql(product, bn254.fields.Fp12.ONE);
}

describe("the verifier of 128-byte proofs", () => {
  let verifier: Verifier;
  before(async () => {
    verifier = await Verifier.create(key);
  });

  it("accepts what noble accepts, with every combination of flags", () => {
    for (const { proof128 } of vectors) assert.equal(verifier.verify(proof128, publicSignals), true);
    assert.equal(nobleVerifies(first.proof, publicSignals, key), true);
  });

  it("refuses a changed signal, as noble does", () => {
    for (const index of publicSignals.keys()) {
      const changed = publicSignals.with(index, (publicSignals[index]! + 1n) % scalarField);
      assert.equal(verifier.verify(first.proof128, changed), false);
      assert.equal(nobleVerifies(first.proof, changed, key), false);
    }
  });

  it("refuses signals x + r, r, 2^256 − 1 and negative ones at every index", () => {
    for (const [index, signal] of publicSignals.entries()) {
      for (const value of [signal + scalarField, scalarField, 2n ** 256n - 1n, signal - scalarField, -1n]) {
        assert.equal(verifier.verify(first.proof128, publicSignals.with(index, value)), false);
      }
    }
  });

  it("judges r − 1 by the proof, not by its form", () => {
    assert.equal(verifier.verify(first.proof128, publicSignals.with(0, scalarField - 1n)), false);
  });

  it("refuses too few and too many signals", () => {
    assert.equal(verifier.verify(first.proof128, publicSignals.slice(1)), false);
    assert.equal(verifier.verify(first.proof128, [...publicSignals, 0n]), false);
  });

  it("refuses each flipped flag, unused bit and coordinate above p", () => {
    for (const word of [0, 1, 2, 3]) {
      for (const bit of [253n, 254n, 255n, 0n]) {
        const bytes = changeWord(first.proof128, word, (value) => value ^ (1n << bit));
        assert.equal(verifier.verify(bytes, publicSignals), false, `word ${word}, bit ${bit}`);
      }
      const above = changeWord(first.proof128, word, () => baseField);
      assert.equal(verifier.verify(above, publicSignals), false);
    }
  });

  it("refuses infinity and other lengths", () => {
    for (const [from, to] of [
      [0, 32],
      [32, 96],
      [96, 128],
      [0, 128],
    ] as const) {
      assert.equal(verifier.verify(first.proof128.slice().fill(0, from, to), publicSignals), false);
    }
    for (const length of [0, 127, 129, 256]) {
      assert.equal(verifier.verify(new Uint8Array(length), publicSignals), false);
    }
  });

  it("accepts a re-randomised proof of the same statement: nothing may be keyed on proof bytes", () => {
    const other = compressProof(rerandomise(first.proof, key, 123456789n, 987654321n));
    assert.notDeepEqual(other, first.proof128);
    assert.equal(verifier.verify(other, publicSignals), true);
  });

  it("refuses the proof under another key", async () => {
    const otherKey = { ...key, delta: bn254.G2.Point.fromAffine(key.delta).double().toAffine() };
    using other = await Verifier.create(otherKey);
    assert.equal(other.verify(first.proof128, publicSignals), false);
  });

  it("refuses a point outside the subgroup, though another user of mcl has switched that check off", async () => {
    const { default: mcl } = await import("mcl-wasm");
    const stray = strayPoint();
    for (const flags of [0n, 1n, 2n, 3n]) {
      const bytes = changeWord(
        changeWord(first.proof128, 1, () => stray.x.c1 | (flags << 254n)),
        2,
        () => stray.x.c0,
      );
      mcl.verifyOrderG2(false);
      // On the curve: without the check mcl reads it.
      new mcl.G2().deserialize(bytes.slice(32, 96).reverse().with(63, 0));
      throws(() => readCompressedG2(bytes.subarray(32, 96), "B"), Groth16FormatError);
      mcl.verifyOrderG2(false);
      assert.equal(verifier.verify(bytes, publicSignals), false);
    }
    mcl.verifyOrderG2(false);
    assert.equal(verifier.verify(first.proof128, publicSignals), true);
  });
});

describe("a batch of proofs", () => {
  const claims: Claim[] = vectors.map(({ proof128 }) => ({ proof: proof128, publicSignals }));
  const wrong: Claim = { proof: first.proof128, publicSignals: publicSignals.with(2, 1n) };
  let verifier: Verifier;
  before(async () => {
    verifier = await Verifier.create(key);
  });

  it("holds when each member does, at sizes around the inner block of 64", () => {
    for (const size of [0, 1, 2, 64, 65]) {
      const batch = Array.from({ length: size }, (_, i) => claims[i % claims.length]!);
      assert.equal(verifier.verifyBatch(batch), true, `size ${size}`);
    }
  });

  it("fails with one wrong member at any position, and names it", () => {
    for (const position of [0, 7, 15]) {
      const batch = claims.with(position, wrong);
      assert.equal(verifier.verifyBatch(batch), false);
      assert.deepEqual(verifier.findInvalid(batch), [position]);
    }
  });

  it("names several wrong and malformed members", () => {
    const batch = claims
      .with(3, wrong)
      .with(4, { proof: new Uint8Array(128), publicSignals })
      .with(12, wrong);
    assert.deepEqual(verifier.findInvalid(batch), [3, 4, 12]);
    assert.deepEqual(verifier.findInvalid(claims), []);
  });

  it("is not fooled by errors that cancel each other under equal weights", () => {
    // C + D in one proof and C − D in the other: the plain product of both equations still holds.
    const G1 = bn254.G1.Point;
    const shift = G1.BASE.multiply(42n);
    const tampered = [shift, shift.negate()].map((difference, index): Claim => {
      const { proof } = vectors[index]!;
      const c = G1.fromAffine(proof.c).add(difference).toAffine();
      return { proof: compressProof({ ...proof, c }), publicSignals };
    });
    const equalWeights = (bytes: Uint8Array): void => {
      bytes[0] = 1;
    };
    assert.equal(verifier.verifyBatch(tampered, equalWeights), true, "the attack works without randomness");
    assert.equal(verifier.verifyBatch(tampered), false);
    assert.deepEqual(verifier.findInvalid(tampered), [0, 1]);
  });

  it("draws fresh randomness for every member", () => {
    let drawn = 0;
    const counting = (bytes: Uint8Array<ArrayBuffer>): void => {
      drawn++;
      globalThis.crypto.getRandomValues(bytes);
    };
    assert.equal(verifier.verifyBatch(claims, counting), true);
    assert.equal(drawn, claims.length);
  });
});

describe("the bytes of a verifying key", () => {
  it("turn into a key and back", () => {
    assert.deepEqual(encodeVerifyingKey(key), keyBytes);
    assert.equal(key.ic.length, publicSignals.length + 1);
  });

  it("are refused when cut, extended, or with a point that is not one", () => {
    throws(() => decodeVerifyingKey(keyBytes.slice(0, -1)), Groth16FormatError);
    throws(() => decodeVerifyingKey(keyBytes.slice(0, 448)), Groth16FormatError);
    throws(() => decodeVerifyingKey(new Uint8Array(448 + 64 * 1000)), Groth16FormatError);
    for (let word = 0; word < keyBytes.length / 32; word++) {
      const changed = changeWord(keyBytes, word, (value) => (value + 1n) % baseField);
      throws(() => decodeVerifyingKey(changed), Groth16FormatError, `word ${word}`);
    }
    throws(() => decodeVerifyingKey(keyBytes.slice().fill(0, 448, 512)), Groth16FormatError);
  });
});
