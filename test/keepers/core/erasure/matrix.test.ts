import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { multiply } from "../../../../keepers/src/core/erasure/field.ts";
import { invertMatrix } from "../../../../keepers/src/core/erasure/matrix.ts";
import { recordedRefusals } from "../refusals.ts";
import { randomBytes, seededRandom } from "./random.ts";

const throws = recordedRefusals("erasure/matrix");

function product(a: Uint8Array, b: Uint8Array, size: number): number[] {
  return Array.from({ length: size * size }, (_, at) => {
    const [row, column] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let i = 0; i < size; i++) sum ^= multiply(a[row * size + i]!, b[i * size + column]!);
    return sum;
  });
}

const identity = (size: number) =>
  Array.from({ length: size * size }, (_, at) => (Math.floor(at / size) === at % size ? 1 : 0));

describe("the inverse of a matrix", () => {
  it("is found where rows have to change places: no pivot stands on the diagonal", () => {
    for (const rows of [
      [0, 1, 1, 0],
      [0, 0, 3, 7, 0, 0, 0, 9, 0],
      [0, 5, 1, 0, 0, 2, 4, 0, 0],
    ]) {
      const [matrix, size] = [Uint8Array.from(rows), Math.sqrt(rows.length)];
      assert.deepEqual(product(matrix, invertMatrix(matrix, size), size), identity(size), `${rows}`);
    }
  });

  it("times the matrix is the identity, for drawn matrices with zeros in every place", () => {
    const random = seededRandom(77);
    let inverted = 0;
    for (let i = 0; i < 400; i++) {
      const size = 1 + (i % 5);
      const drawn = randomBytes(random, 2 * size * size);
      // Half of the entries are zero, so that pivots are looked for.
      const matrix = Uint8Array.from({ length: size * size }, (_, at) =>
        drawn[2 * at]! & 1 ? drawn[2 * at + 1]! : 0,
      );
      let inverse: Uint8Array;
      try {
        inverse = invertMatrix(matrix, size);
      } catch (error) {
        assert.match((error as Error).message, /singular/);
        continue;
      }
      inverted++;
      assert.deepEqual(product(matrix, inverse, size), identity(size), `${matrix}`);
      assert.deepEqual(product(inverse, matrix, size), identity(size), `${matrix}`);
    }
    assert.ok(inverted > 50, `${inverted} were regular`);
  });

  it("is refused to a singular matrix", () => {
    throws(() => invertMatrix(Uint8Array.from([1, 2, 1, 2]), 2), /singular/);
    throws(() => invertMatrix(new Uint8Array(9), 3), /singular/);
  });
});
