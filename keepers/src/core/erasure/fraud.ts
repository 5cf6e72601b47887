import type { ErasureCode, MaybeShard } from "./code.ts";
import { ShardShapeError } from "./errors.ts";
import { invert, multiply } from "./field.ts";

/**
 * The combination of k + 1 symbols at one offset that is 0 exactly when they belong to one codeword (storage
 * protocol, section 1): what a fraud proof evaluates.
 *
 * @param positions k + 1 different positions in 0 … 254
 * @param symbols the byte at each position
 * @returns an element of GF(2^8), 0 for a valid codeword
 */
export function fraudCombination(
  k: number,
  positions: readonly number[],
  symbols: readonly number[],
): number {
  if (positions.length !== k + 1 || symbols.length !== k + 1) {
    throw new ShardShapeError(
      `${k + 1} positions and symbols are needed, not ${positions.length} and ${symbols.length}`,
    );
  }
  if (new Set(positions).size !== positions.length) throw new ShardShapeError("a position is named twice");
  let sum = 0;
  positions.forEach((p, at) => {
    let numerator = 1;
    for (let l = 0; l < k; l++) if (l !== p) numerator = multiply(numerator, p ^ l);
    let denominator = 1;
    for (const q of positions) if (q !== p) denominator = multiply(denominator, p ^ q);
    sum ^= multiply(symbols[at]!, multiply(numerator, invert(denominator)));
  });
  return sum;
}

/** Where k + 1 shards fit no codeword: their positions, and the byte in each. */
export type WrongSymbol = { readonly positions: readonly number[]; readonly offset: number };

/**
 * A byte at which shards contradict each other. Which of them is wrong cannot be told, and need not be: a fraud proof takes all k + 1.
 *
 * @param shards by position, n of them
 * @returns undefined when no more than k are there, or all fit one codeword
 */
export function findWrongSymbol(code: ErasureCode, shards: readonly MaybeShard[]): WrongSymbol | undefined {
  const present = [...shards.keys()].filter((position) => shards[position] !== undefined);
  if (present.length <= code.k) return undefined;
  const [sources, rest] = [present.slice(0, code.k), present.slice(code.k)];
  const known = shards.map((shard, position) => (sources.includes(position) ? shard : undefined));
  const computed = code.reconstruct(known, rest);
  for (const [i, position] of rest.entries()) {
    const shard = shards[position]!;
    const offset = computed[i]!.findIndex((byte, at) => byte !== shard[at]);
    if (offset >= 0) return { positions: [...sources, position], offset };
  }
  return undefined;
}
