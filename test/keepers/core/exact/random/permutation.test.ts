import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import { inversePermutation, permutation } from "../../../../../keepers/src/core/exact/random/permutation.ts";
import { randomBytes, seededRandom } from "../../erasure/random.ts";
import { recordedRefusals } from "../../refusals.ts";
import { permuted } from "./reference.ts";

const throws = recordedRefusals("exact/random/permutation");

const seed = randomBytes(seededRandom(311), 32);

describe("permutation", () => {
  it("is a bijection for every size from 1 to 5,000", () => {
    const met = new Uint16Array(5000);
    for (let size = 1; size <= 5000; size++) {
      const at = permutation({ seed, domain: 2, round: size, size });
      for (let x = 0; x < size; x++) {
        const y = at(x);
        if (!(y >= 0 && y < size) || met[y] === size) assert.fail(`size ${size}: ${y} twice or outside`);
        met[y] = size;
      }
    }
  });

  it("equals a bigint realisation, for small and huge sizes", () => {
    const random = seededRandom(312);
    for (const size of [1, 2, 3, 10, 97, 4096, 4097, 60000, 2 ** 20 + 7]) {
      for (let i = 0; i < 10; i++) {
        const x = Math.floor(random() * size);
        const round = Math.floor(random() * 2 ** 32);
        const expected = permuted(seed, 3, round, size, x);
        assert.equal(permutation({ seed, domain: 3, round, size })(x), expected, `${x} of ${size}`);
      }
    }
    const largest = permutation({ seed, domain: 2, round: 0, size: 2 ** 32 });
    assert.equal(largest(2 ** 32 - 1), permuted(seed, 2, 0, 2 ** 32, 2 ** 32 - 1));
    assert.equal(largest(0), permuted(seed, 2, 0, 2 ** 32, 0));
  });

  it("has an inverse, for small and huge sizes", () => {
    for (const size of [1, 2, 3, 5, 97, 4096, 4097]) {
      const parameters = { seed, domain: 2, round: size, size };
      const [at, back] = [permutation(parameters), inversePermutation(parameters)];
      for (let x = 0; x < size; x++) {
        assert.equal(back(at(x)), x, `${x} of ${size}`);
        assert.equal(at(back(x)), x, `${x} of ${size}`);
      }
    }
    for (const size of [2 ** 20 + 7, 2 ** 32 - 5, 2 ** 32]) {
      const parameters = { seed, domain: 3, round: 1, size };
      const [at, back] = [permutation(parameters), inversePermutation(parameters)];
      for (const x of [0, 1, 65_535, 65_536, size - 1]) assert.equal(back(at(x)), x, `${x} of ${size}`);
    }
  });

  it("differs between seeds, domains and rounds", () => {
    const list = (domain: number, round: number, key: Uint8Array): string => {
      const at = permutation({ seed: key, domain, round, size: 64 });
      return Array.from({ length: 64 }, (_, x) => at(x)).join();
    };
    const other = randomBytes(seededRandom(313), 32);
    const all = [list(2, 0, seed), list(2, 1, seed), list(3, 0, seed), list(2, 0, other)];
    assert.equal(new Set(all).size, all.length);
  });

  it("sends every place everywhere about equally often over the epochs", () => {
    const size = 20;
    const epochs = 4000;
    const counts = new Uint32Array(size * size);
    for (let round = 0; round < epochs; round++) {
      const at = permutation({ seed, domain: 2, round, size });
      for (let x = 0; x < size; x++) counts[x * size + at(x)]!++;
    }
    const expected = epochs / size;
    const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // (size − 1)² = 361 degrees of freedom, standard deviation √722 ≈ 27: six deviations either side.
    assert.ok(statistic > 361 - 162 && statistic < 361 + 162, `chi-square ${statistic}`);
  });

  it("refuses sizes and places that do not exist", () => {
    for (const size of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) {
      throws(() => permutation({ seed, domain: 2, round: 0, size }), BadInputError);
    }
    for (const make of [permutation, inversePermutation]) {
      const at = make({ seed, domain: 2, round: 0, size: 5 });
      for (const x of [-1, 5, 0.5, Number.NaN]) throws(() => at(x), RangeError);
    }
  });
});
