import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import {
  multiplyHigh,
  philox,
  philoxInto,
  randomKey,
} from "../../../../../keepers/src/core/exact/random/philox.ts";
import { randomBytes, seededRandom } from "../../erasure/random.ts";
import { recordedRefusals } from "../../refusals.ts";
import { keyOf, philoxOf } from "./reference.ts";

const throws = recordedRefusals("exact/random/philox");

/** `kat_vectors` of Random123, the rows of philox4x32 with 10 rounds: counter, key, result. */
const vectors = [
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
];

const words = (text: string): number[] => text.split(" ").map((word) => Number.parseInt(word, 16));

describe("philox", () => {
  it("gives the published known answers", () => {
    for (const [counter, key, expected] of vectors) {
      const [c0, c1, c2, c3] = words(counter!) as [number, number, number, number];
      const [k0, k1] = words(key!) as [number, number];
      assert.deepEqual(philox(k0, k1, c0, c1, c2, c3), words(expected!));
      const block = new Uint32Array(4);
      philoxInto(block, k0, k1, c0, c1, c2, c3);
      assert.deepEqual([...block], words(expected!));
    }
  });

  it("equals a bigint realisation on random keys and counters", () => {
    const random = seededRandom(301);
    for (let i = 0; i < 500; i++) {
      const [k0, k1, c0, c1, c2, c3] = Array.from({ length: 6 }, () => Math.floor(random() * 2 ** 32)) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const expected = philoxOf([BigInt(k0), BigInt(k1)], [c0, c1, c2, c3].map(BigInt));
      assert.deepEqual(philox(k0, k1, c0, c1, c2, c3).map(BigInt), expected);
    }
  });

  it("multiplies exactly at every edge of 16 and 32 bits", () => {
    const edges = [
      0, 1, 2, 0x7fff, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0x80000000, 0xffff0000, 0xfffffffe, 0xffffffff,
    ];
    for (const a of edges) {
      for (const b of edges) {
        assert.equal(BigInt(multiplyHigh(a, b)), (BigInt(a) * BigInt(b)) >> 32n, `${a} · ${b}`);
      }
    }
  });

  it("derives a key from 32 bytes and a domain, and from nothing else", () => {
    const seed = randomBytes(seededRandom(302), 32);
    for (const domain of [1, 2, 3, 4]) {
      assert.deepEqual(randomKey(seed, domain).map(BigInt), keyOf(seed, domain));
      assert.deepEqual(randomKey(`0x${Buffer.from(seed).toString("hex")}`, domain), randomKey(seed, domain));
    }
    throws(() => randomKey(seed.subarray(1), 1), BadInputError);
    throws(() => randomKey("0x00", 1), BadInputError);
  });
});
