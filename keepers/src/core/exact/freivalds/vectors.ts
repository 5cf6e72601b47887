import { BadInputError } from "../../errors.ts";
import { philoxInto, randomKey, type Seed } from "../random/philox.ts";

/**
 * Random vectors of Freivalds' check over the integers (R. Freivalds, "Probabilistic machines can use less running
 * time", IFIP 1977). A bilinear operation is right when its result, combined along a free axis of one operand, is what
 * the combined operand gives. If a result differs from the right one anywhere along that axis by D ≠ 0, then for
 * entries drawn uniformly from 2^bits integers Σ r_i·D_i = 0 holds with probability at most 2^−bits: whatever the other
 * entries, at most one value of an entry with D_i ≠ 0 makes it so. Independent vectors multiply their probabilities.
 */
export type VectorPlan = {
  /** Entries of one vector: the length of the free axis, or of one group's part of it. */
  readonly length: number;
  readonly vectors: number;
  /** Entries are drawn from [−2^(bits − 1), 2^(bits − 1)); 0: the vectors are the unit vectors and nothing is left to chance. */
  readonly bits: number;
  /** 0: sums are checked as they are. Otherwise in two limbs, the lower of this many bits, so that each stays exact. */
  readonly limbBits: number;
};

/** Magnitudes on which the exactness of a check rests. */
export type ContractionBounds = {
  /** Products of one sum. */
  readonly terms: number;
  /** Largest mantissas of the operand that is combined and of the other one. */
  readonly combined: number;
  readonly other: number;
};

/** Integers of at most this magnitude, and sums of them that stay within it, are exact in float64. */
const exact = 2n ** 53n;
const mostBits = 32;
const mostLimbBits = 40;

/** A Philox key has 64 bits: no smaller error is claimed than its. */
export const mostErrorBits = 64;

/** Philox domain of the vectors; 1 to 4 are those of an order's randomness. */
const vectorDomain = 5;

/** Whether vectors of `bits` bits keep every partial sum of the check exact, in limbs or without. */
export function staysExact(
  { terms, combined, other }: ContractionBounds,
  length: number,
  bits: number,
  limbBits: number,
): boolean {
  const weight = BigInt(length) * 2n ** BigInt(bits - 1);
  const operand = weight * BigInt(combined);
  const perTerm = BigInt(terms) * BigInt(other);
  if (limbBits === 0) return perTerm * operand <= exact;
  const half = 2n ** BigInt(limbBits - 1);
  /** Largest upper limb of an integer. */
  const upper = (magnitude: bigint) => (magnitude + half) >> BigInt(limbBits);
  const sums = perTerm * BigInt(combined);
  return (
    2n * operand < exact &&
    2n * sums < exact &&
    perTerm * upper(operand) + weight * upper(sums) <= exact &&
    (perTerm + weight) * half <= exact
  );
}

/**
 * The plan with the fewest vectors of an error of at most 2^−errorBits, with and without limbs; unit vectors where
 * random ones are not fewer than these.
 */
export function planVectors(bounds: ContractionBounds, length: number, errorBits: number): VectorPlan[] {
  if (!Number.isInteger(errorBits) || errorBits < 1 || errorBits > mostErrorBits) {
    throw new BadInputError(
      `an error of 2^−${errorBits} cannot be had: the exponent is 1 to ${mostErrorBits}`,
    );
  }
  const plans: VectorPlan[] = [];
  const widest = (limbBits: number) => {
    for (let bits = mostBits; bits >= 1; bits--) if (staysExact(bounds, length, bits, limbBits)) return bits;
    return 0;
  };
  const add = (bits: number, limbBits: number) => {
    const vectors = Math.ceil(errorBits / bits);
    if (bits > 0 && vectors < length) plans.push({ length, vectors, bits, limbBits });
  };
  add(widest(0), 0);
  let best = { bits: 0, limbBits: 0 };
  for (let limbBits = 1; limbBits <= mostLimbBits; limbBits++) {
    const bits = widest(limbBits);
    if (bits > best.bits) best = { bits, limbBits };
  }
  add(best.bits, best.limbBits);
  return plans.length > 0 ? plans : [{ length, vectors: length, bits: 0, limbBits: 0 }];
}

/** −log2 of the probability that a wrong result passes; Infinity for unit vectors. */
export function errorBitsOf({ vectors, bits }: VectorPlan): number {
  return bits === 0 ? Number.POSITIVE_INFINITY : vectors * bits;
}

/**
 * The vectors as the rows of one matrix.
 *
 * @param seed 32 bytes that nobody knew before the sums were handed over
 * @param node which check they are for: each has its own
 */
export function drawVectors(seed: Seed, node: number, plan: VectorPlan): Float64Array {
  const { length, vectors, bits } = plan;
  const entries = new Float64Array(vectors * length);
  if (bits === 0) {
    for (let i = 0; i < length; i++) entries[i * length + i] = 1;
    return entries;
  }
  const [key0, key1] = randomKey(seed, vectorDomain);
  const block = new Uint32Array(4);
  for (let i = 0; i < entries.length; i++) {
    if (i % 4 === 0) philoxInto(block, key0, key1, i / 4, 0, node, 0);
    entries[i] = (block[i % 4]! >>> (32 - bits)) - 2 ** (bits - 1);
  }
  return entries;
}
