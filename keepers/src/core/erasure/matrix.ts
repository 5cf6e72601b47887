import { BadInputError } from "../errors.ts";
import { invert, multiply } from "./field.ts";

/** Throws BadInputError unless 1 ≤ k < n ≤ 255. */
export function requireCode(k: number, n: number): void {
  if (!Number.isInteger(k) || !Number.isInteger(n) || k < 1 || n <= k || n > 255) {
    throw new BadInputError(`no erasure code has k = ${k} and n = ${n}; it takes 1 ≤ k < n ≤ 255`);
  }
}

/** Row `i` ≥ k of the generator: 1 / (i XOR j) for j < k, as ISA-L's `gf_gen_cauchy1_matrix` has it. */
export function parityRow(k: number, i: number): Uint8Array {
  return Uint8Array.from({ length: k }, (_, j) => invert(i ^ j));
}

/** Inverse of a regular square matrix over GF(2^8), by Gauss–Jordan elimination. Row-major, `size` × `size`. */
export function invertMatrix(matrix: Uint8Array, size: number): Uint8Array {
  const left = matrix.slice();
  const right = new Uint8Array(size * size);
  for (let i = 0; i < size; i++) right[i * size + i] = 1;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    while (pivot < size && left[pivot * size + column] === 0) pivot++;
    if (pivot === size) throw new RangeError("the matrix is singular");
    for (const half of [left, right]) {
      const row = half.slice(pivot * size, (pivot + 1) * size);
      half.copyWithin(pivot * size, column * size, (column + 1) * size);
      half.set(row, column * size);
    }
    const scale = invert(left[column * size + column]!);
    for (const half of [left, right]) {
      for (let c = 0; c < size; c++) half[column * size + c] = multiply(half[column * size + c]!, scale);
    }
    for (let row = 0; row < size; row++) {
      const factor = left[row * size + column]!;
      if (row === column || factor === 0) continue;
      for (const half of [left, right]) {
        for (let c = 0; c < size; c++) {
          half[row * size + c] = half[row * size + c]! ^ multiply(factor, half[column * size + c]!);
        }
      }
    }
  }
  return right;
}

/**
 * Coefficients that give each wanted shard from k present ones.
 *
 * Only the square part of the Cauchy block that belongs to the lost data shards is inverted: three by three for
 * three losses, whatever k is.
 *
 * @param sources the k positions that are there, ascending.
 * @param wanted positions to compute.
 * @returns one row of k coefficients per wanted position, in the order of `sources`.
 */
export function recoveryRows(k: number, sources: readonly number[], wanted: readonly number[]): Uint8Array[] {
  const parities = sources.filter((position) => position >= k);
  const there = new Set(sources);
  const lost: number[] = [];
  for (let j = 0; j < k; j++) if (!there.has(j)) lost.push(j);
  const size = lost.length;
  const block = Uint8Array.from(parities.flatMap((i) => lost.map((j) => invert(i ^ j))));
  const inverse = invertMatrix(block, size);

  // Row of one lost data shard: Σ_q inverse[l][q] · (parity_q − Σ_present data C[q][j] · data_j).
  const lostRow = (index: number): Uint8Array =>
    Uint8Array.from(sources, (source) => {
      if (source >= k) return inverse[index * size + parities.indexOf(source)]!;
      let sum = 0;
      parities.forEach((i, q) => {
        sum ^= multiply(inverse[index * size + q]!, invert(i ^ source));
      });
      return sum;
    });
  const lostRows = new Map(lost.map((position, index) => [position, lostRow(index)]));
  const dataRow = (position: number): Uint8Array =>
    lostRows.get(position) ?? Uint8Array.from(sources, (source) => (source === position ? 1 : 0));

  return wanted.map((position) => {
    if (position < k) return dataRow(position);
    const row = new Uint8Array(k);
    for (let j = 0; j < k; j++) {
      const factor = invert(position ^ j);
      const part = dataRow(j);
      for (let c = 0; c < k; c++) row[c] = row[c]! ^ multiply(factor, part[c]!);
    }
    return row;
  });
}
