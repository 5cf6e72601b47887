import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { compressProof, decompressProof } from "../../../../keepers/src/core/groth16/compress.ts";
import { decodeProof256, encodeProof256 } from "../../../../keepers/src/core/groth16/encode.ts";
import { baseField } from "../../../../keepers/src/core/groth16/field.ts";
import type { Proof } from "../../../../keepers/src/core/groth16/types.ts";
import { Groth16FormatError } from "../../../../keepers/src/core/groth16/types.ts";
import { recordedRefusals } from "../refusals.ts";
import { changeWord, strayPoint, vectors } from "./vectors.ts";

const throws = recordedRefusals("groth16/encodings");

const { Fp, Fp2 } = bn254.fields;
const first = vectors[0]!;

const refused = (decode: (bytes: Uint8Array) => Proof, bytes: Uint8Array): void => {
  throws(() => decode(bytes), Groth16FormatError);
};

describe("the two encodings of a proof", () => {
  it("turn into each other for every combination of the four flags", () => {
    const flags = new Set<string>();
    for (const { proof, proof128, proof256 } of vectors) {
      assert.deepEqual(compressProof(proof), proof128);
      assert.deepEqual(decompressProof(proof128), proof);
      assert.deepEqual(encodeProof256(proof), proof256);
      flags.add([proof128[0]! >> 7, proof128[32]! >> 6, proof128[96]! >> 7].join());
    }
    assert.equal(flags.size, 16);
  });

  it("agree with noble's square roots on random multiples of the generators", () => {
    for (let k = 1n; k < 40n; k++) {
      const proof: Proof = {
        a: bn254.G1.Point.BASE.multiply(k * 7919n).toAffine(),
        b: bn254.G2.Point.BASE.multiply(k * 104729n).toAffine(),
        c: bn254.G1.Point.BASE.multiply(k * 1299709n).toAffine(),
      };
      const words = Buffer.from(compressProof(proof)).toString("hex").match(/.{64}/g)!;
      const [a, b1, b0, c] = words.map((word) => BigInt(`0x${word}`)) as [bigint, bigint, bigint, bigint];
      const mask = (1n << 254n) - 1n;
      const x = { c0: b0, c1: b1 & mask };
      const right = Fp2.add(
        Fp2.mul(Fp2.sqr(x), x),
        Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n])),
      );
      const root = Fp2.sqrt(right);
      const y = (root.c0 & 1n) === b1 >> 255n ? root : Fp2.neg(root);
      assert.deepEqual({ c0: y.c0, c1: y.c1 }, { c0: proof.b.y.c0, c1: proof.b.y.c1 });
      // The documented meaning of the hint: (a ± d)/2 is y0², where d is the square root of the norm that is a square.
      const norm = Fp.add(Fp.sqr(right.c0), Fp.sqr(right.c1));
      const d = Fp.pow(norm, (baseField + 1n) / 4n);
      const hinted = (b1 >> 254n) & 1n ? Fp.sub(right.c0, d) : Fp.add(right.c0, d);
      assert.equal(Fp.sqr(y.c0), Fp.div(hinted, 2n));
      for (const [word, point] of [
        [a, proof.a],
        [c, proof.c],
      ] as const) {
        assert.equal(word & mask, point.x);
        assert.equal(word >> 255n, point.y & 1n);
      }
    }
  });

  it("refuse other lengths", () => {
    for (const length of [0, 127, 129, 255, 257]) {
      refused(decompressProof, new Uint8Array(length));
      refused(decodeProof256, new Uint8Array(length));
    }
  });

  it("refuse a coordinate that is p or more, at every place", () => {
    for (let word = 0; word < 8; word++) {
      refused(
        decodeProof256,
        changeWord(first.proof256, word, (value) => value + baseField),
      );
      refused(
        decodeProof256,
        changeWord(first.proof256, word, () => baseField),
      );
      refused(
        decodeProof256,
        changeWord(first.proof256, word, () => 2n ** 256n - 1n),
      );
    }
    const x = (1n << 254n) - 1n;
    for (const [word, mask] of [
      [0, x],
      [1, x],
      [2, 2n ** 256n - 1n],
      [3, x],
    ] as const) {
      const overflow = changeWord(
        first.proof128,
        word,
        (value) => (value & ~mask) | ((value & mask) + baseField),
      );
      refused(decompressProof, overflow);
    }
  });

  it("refuse every other value of the unused bits, so that a proof has one encoding", () => {
    for (const { proof128 } of vectors) {
      refused(
        decompressProof,
        changeWord(proof128, 0, (value) => value ^ (1n << 254n)),
      );
      refused(
        decompressProof,
        changeWord(proof128, 2, (value) => value ^ (1n << 254n)),
      );
      refused(
        decompressProof,
        changeWord(proof128, 2, (value) => value ^ (1n << 255n)),
      );
      refused(
        decompressProof,
        changeWord(proof128, 3, (value) => value ^ (1n << 254n)),
      );
      // A wrong hint is not a second encoding of the same point.
      refused(
        decompressProof,
        changeWord(proof128, 1, (value) => value ^ (1n << 254n)),
      );
    }
  });

  it("refuse the point at infinity in each place", () => {
    const zero = (bytes: Uint8Array, from: number, to: number): Uint8Array => bytes.slice().fill(0, from, to);
    for (const [from, to] of [
      [0, 64],
      [64, 192],
      [192, 256],
    ] as const) {
      refused(decodeProof256, zero(first.proof256, from, to));
    }
    for (const [from, to] of [
      [0, 32],
      [32, 96],
      [96, 128],
    ] as const) {
      refused(decompressProof, zero(first.proof128, from, to));
    }
  });

  it("refuse points off the curve", () => {
    for (let word = 0; word < 8; word++) {
      refused(
        decodeProof256,
        changeWord(first.proof256, word, (value) => (value + 1n) % baseField),
      );
    }
    let x = 1n;
    while (Fp.pow(x ** 3n + 3n, (baseField - 1n) / 2n) === 1n) x++;
    refused(
      decompressProof,
      changeWord(first.proof128, 0, () => x),
    );
    refused(
      decompressProof,
      changeWord(first.proof128, 3, () => x),
    );
  });

  it("refuse a point of the twist outside the subgroup", () => {
    const stray = strayPoint();
    const proof = { ...first.proof, b: stray };
    throws(() => compressProof(proof), Groth16FormatError);
    throws(() => encodeProof256(proof), Groth16FormatError);
    const words = [stray.x.c1, stray.x.c0, stray.y.c1, stray.y.c0];
    let bytes = first.proof256;
    for (const [index, value] of words.entries()) bytes = changeWord(bytes, 2 + index, () => value);
    refused(decodeProof256, bytes);
    for (const flags of [0n, 1n, 2n, 3n]) {
      const compressed = changeWord(first.proof128, 1, () => stray.x.c1 | (flags << 254n));
      refused(
        decompressProof,
        changeWord(compressed, 2, () => stray.x.c0),
      );
    }
  });

  it("refuse swapped halves of G2", () => {
    const words = Buffer.from(first.proof256).toString("hex").match(/.{64}/g)!;
    const swapped = [words[0], words[1], words[3], words[2], words[5], words[4], words[6], words[7]].join("");
    refused(decodeProof256, Uint8Array.from(Buffer.from(swapped, "hex")));
  });
});
