import { BadInputError } from "../errors.ts";

/** A code of n bundles, each on a node of its own, any k of which are enough. Copies of a whole are k = 1. */
export type RedundancyParameters = {
  k: number;
  n: number;
  /** Probability that a node's bundle is gone before it is repaired, 0 … 1; nodes fail independently. */
  failure: number;
};

/**
 * Probability that a segment is lost: that more than n − k of its n nodes fail before repair,
 * P = Σ_{i > n−k} C(n, i) p^i (1 − p)^(n−i).
 *
 * Exact: the double `failure` is a fraction over a power of two, the sum is taken over integers, and only the result is
 * rounded. Hence no cancellation, however small it is.
 * @throws BadInputError when k or n break 1 ≤ k ≤ n ≤ 255, or `failure` is no probability.
 */
export function lossProbability(parameters: RedundancyParameters): number {
  assertRedundancy(parameters);
  const { k, n, failure } = parameters;
  const { numerator: fails, bits } = dyadic(failure);
  const survives = (1n << BigInt(bits)) - fails;
  let choose = 1n;
  let sum = 0n;
  for (let i = 0; i <= n; i++) {
    if (i > n - k) sum += choose * fails ** BigInt(i) * survives ** BigInt(n - i);
    choose = (choose * BigInt(n - i)) / BigInt(i + 1);
  }
  return quotient(sum, n * bits);
}

/** @throws BadInputError when k or n break 1 ≤ k ≤ n ≤ 255, or `failure` is no probability. */
export function assertRedundancy({ k, n, failure }: RedundancyParameters): void {
  if (!Number.isInteger(k) || !Number.isInteger(n) || k < 1 || n < k || n > 255) {
    throw new BadInputError(`(${k}, ${n}) is no code: 1 ≤ k ≤ n ≤ 255 must hold.`);
  }
  if (!(failure >= 0 && failure <= 1)) throw new BadInputError(`${failure} is no probability.`);
}

/** The double as numerator / 2^bits. Doubling is exact. */
function dyadic(value: number): { numerator: bigint; bits: number } {
  let scaled = value;
  let bits = 0;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    bits++;
  }
  return { numerator: BigInt(scaled), bits };
}

/** numerator / 2^bits as a double. */
function quotient(numerator: bigint, bits: number): number {
  const excess = Math.max(0, numerator.toString(16).length * 4 - 64);
  return Number(numerator >> BigInt(excess)) * 2 ** (excess - bits);
}
