import { BadInputError } from "../../errors.ts";
import { philoxInto, randomKey, type Seed } from "./philox.ts";

export type PermutationParameters = {
  seed: Seed;
  /** What the permutation is for: `randomDomains`. */
  domain: number;
  /** Unsigned 32-bit: one permutation for every round (epoch) of a seed. */
  round: number;
  /** N, 1 to 2^32. */
  size: number;
};

const feistelRounds = 8;

/**
 * A keyed permutation of [0, N) that is evaluated point by point: a Feistel network over a·b ≥ N with cycle walking
 * (`docs/exact-ops.md`, section 3; Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
 *
 * @returns x ↦ π(x); it throws a RangeError outside [0, N)
 * @throws BadInputError for a size outside 1 to 2^32 or a seed that does not have 32 bytes.
 */
export function permutation(parameters: PermutationParameters): (x: number) => number {
  const { width, height, draw } = networkOf(parameters);
  return walk(parameters.size, (at) => {
    let left = at % width;
    let right = Math.floor(at / width);
    for (let j = 0; j < feistelRounds; j += 2) {
      left = (left + draw(right, j, width)) % width;
      right = (right + draw(left, j + 1, height)) % height;
    }
    return left + width * right;
  });
}

/**
 * The inverse of {@link permutation}.
 *
 * @returns π(x) ↦ x; it throws a RangeError outside [0, N)
 * @throws as the permutation does
 */
export function inversePermutation(parameters: PermutationParameters): (y: number) => number {
  const { width, height, draw } = networkOf(parameters);
  return walk(parameters.size, (at) => {
    let left = at % width;
    let right = Math.floor(at / width);
    for (let j = feistelRounds - 2; j >= 0; j -= 2) {
      right = (right + height - draw(left, j + 1, height)) % height;
      left = (left + width - draw(right, j, width)) % width;
    }
    return left + width * right;
  });
}

/** The grid of a Feistel network, and its round functions. */
function networkOf({ seed, domain, round, size }: PermutationParameters) {
  if (!Number.isInteger(size) || size < 1 || size > 2 ** 32) {
    throw new BadInputError(`A permutation has 1 to 2^32 places, not ${size}.`);
  }
  const [key0, key1] = randomKey(seed, domain);
  const width = ceilSqrt(size);
  const height = Math.ceil(size / width);
  const block = new Uint32Array(4);
  // A round has only √N different arguments, so each is drawn once; 0 stands for a draw that was not needed yet.
  const stride = Math.max(width, height);
  const drawn = new Uint32Array(feistelRounds * stride);
  /** ⌊r0(y)·range / 2^32⌋; the product is below 2^48. */
  const draw = (y: number, j: number, range: number): number => {
    const known = drawn[j * stride + y]!;
    if (known !== 0) return known - 1;
    philoxInto(block, key0, key1, y, j, round, 0);
    const value = Math.floor((block[0]! * range) / 2 ** 32);
    drawn[j * stride + y] = value + 1;
    return value;
  };
  return { width, height, draw };
}

/** Cycle walking: goes on through the grid until a place below N is met, forwards or backwards. */
function walk(size: number, pass: (at: number) => number): (x: number) => number {
  return (x) => {
    if (!Number.isInteger(x) || x < 0 || x >= size) throw new RangeError(`${x} is not in [0, ${size})`);
    let at = x;
    do at = pass(at);
    while (at >= size);
    return at;
  };
}

/** ⌈√n⌉ of an integer up to 2^32: the float64 root is corrected by exact squares. */
function ceilSqrt(n: number): number {
  let root = Math.ceil(Math.sqrt(n));
  while ((root - 1) * (root - 1) >= n) root--;
  while (root * root < n) root++;
  return root;
}
