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

/** Bytes of a shard that are compared in one go. */
const goBytes = 2 ** 21;

/**
 * A byte at which shards contradict each other. Which of them is wrong cannot be told, and need not be: a fraud proof takes all k + 1.
 *
 * @param shards by position, n of them
 * @returns undefined when no more than k are there, or all fit one codeword
 */
export function findWrongSymbol(code: ErasureCode, shards: readonly MaybeShard[]): WrongSymbol | undefined {
  for (const found of comparisons(code, shards)) if (found !== undefined) return found;
  return undefined;
}

/** As {@link findWrongSymbol}, for whole bundles: these may take many seconds, in which the thread has other work, too. */
export async function searchWrongSymbol(
  code: ErasureCode,
  shards: readonly MaybeShard[],
): Promise<WrongSymbol | undefined> {
  for (const found of comparisons(code, shards)) {
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve));
  }
  return undefined;
}

/** Holds each further shard against what the first k give in its place, a part at a time: all of them may be gigabytes. */
function* comparisons(
  code: ErasureCode,
  shards: readonly MaybeShard[],
): Generator<WrongSymbol | undefined, void> {
  const present = [...shards.keys()].filter((position) => shards[position] !== undefined);
  const sources = present.slice(0, code.k);
  for (const position of present.slice(code.k)) {
    const shard = shards[position]!;
    for (let from = 0; from < shard.length; from += goBytes) {
      const part = shard.subarray(from, from + goBytes);
      const known: MaybeShard[] = new Array(code.n).fill(undefined);
      for (const source of sources) known[source] = shards[source]!.subarray(from, from + goBytes);
      const [computed] = code.reconstruct(known, [position]);
      const at = computed!.findIndex((byte, i) => byte !== part[i]);
      yield at < 0 ? undefined : { positions: [...sources, position], offset: from + at };
    }
  }
}
